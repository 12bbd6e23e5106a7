"""Japanese for what mails quote: why a marker starts nothing, and messages of failed steps, by their English form.

Pure. The sentences that lie in a run's files are in `steps.japanese`, which the report shows too.
"""

from __future__ import annotations

from steps import japanese

_FILES = {
    "has an empty part, '.' or '..' in its path; rename the file": (
        "のパスに空の部分、'.' または '..' があります。ファイル名を変更してください"
    ),
    "holds control characters or is not UTF-8; rename the file": (
        "に制御文字があるか、UTF-8 ではありません。ファイル名を変更してください"
    ),
    "{uri}: holds more than {count} files (max_objects); take away what is no data of this run, or raise "
    "max_objects in "
    "the config and deploy": (
        "{uri}：ファイルが {count} 個を超えています（max_objects）。この実行のデータでないものを移動するか、"
        "設定の max_objects を増やしてデプロイしてください"
    ),
    "{uri}: no file matches data.{role} ({globs}); {reason}": (
        "{uri}：data.{role}（{globs}）に一致するファイルがありません。{reason}"
    ),
    "the folder has no files beside the marker": "フォルダにはマーカーファイルしかありません",
    "there is {listed}; did you mean {near}?": "フォルダにあるもの：{listed}（{near} の間違いではありませんか？）",
    "there is {listed}": "フォルダにあるもの：{listed}",
    "{file}: matches both data.train and data.predict; rename it, or make the globs distinct": (
        "{file}：data.train と data.predict の両方に一致します。ファイル名を変更するか、glob を区別してください"
    ),
    "{file}: is neither .csv nor .parquet; convert it, take it away, or narrow the glob": (
        "{file}：.csv でも .parquet でもありません。変換するか、移動するか、glob を絞ってください"
    ),
    "the file name {file} {reason}": "ファイル名 {file} {reason}",
    "and {count} more": "ほか {count} 件",
    "and {count} more files of such names": "同様のファイル名がほか {count} 件",
    "and {count} more missing files": "見つからないファイルがほか {count} 件",
    "and {count} more files of another size": "サイズの異なるファイルがほか {count} 件",
    "and {count} more files: each matches both data.train and data.predict; rename it, or make the globs distinct": (
        "data.train と data.predict の両方に一致するファイルがほか {count} 件"
    ),
    "and {count} more files: each is neither .csv nor .parquet; convert it, take it away, or narrow the glob": (
        ".csv でも .parquet でもないファイルがほか {count} 件"
    ),
    "files: {file} is not in {uri}": "files：{file} が {uri} にありません",
    "files: {file} is not in {uri}; did you mean {near}?": (
        "files：{file} が {uri} にありません（{near} の間違いではありませんか？）"
    ),
    "files: {file} has {size} bytes, the marker says {promised}": (
        "files：{file} は {size} バイトですが、マーカーファイルには {promised} とあります"
    ),
}
"""lambda_trigger.rawfolder, and `key_problem` of the contract."""
_MARKERS = {
    "the marker has gone again; put it there once more to start a run": (
        "マーカーファイルが既にありません。実行を開始するには、もう一度置いてください"
    ),
    "execution {execution} is {status} since {time} and the config says 'concurrency: refuse'; put the marker "
    "again when "
    "it has ended": (
        "実行 {execution} が {time} から続いており（{status}）、設定は concurrency: refuse です。"
        "終了してからマーカーファイルを置き直してください"
    ),
    "{uri}...: the raw folder's URI has {count} characters, at most {limit} are allowed; use a shorter folder": (
        "{uri}...：元データフォルダの URI が {count} 文字あります（{limit} 文字以内）。"
        "より短いフォルダを使用してください"
    ),
    "expected lines such as 'MaeThreshold: 12', or nothing at all": (
        "'MaeThreshold: 12' のような行を書くか、空にしてください"
    ),
    "the marker has more than {count} bytes; {reason}": "マーカーファイルが {count} バイトを超えています。{reason}",
    "the marker is no UTF-8 text; save it as UTF-8": (
        "マーカーファイルが UTF-8 のテキストではありません。UTF-8 で保存してください"
    ),
    "the marker is neither YAML nor JSON ({hint}); {reason}": (
        "マーカーファイルが YAML でも JSON でもありません（{hint}）。{reason}"
    ),
    "the marker is no mapping of names to values; {reason}": (
        "マーカーファイルが「名前: 値」の形になっていません。{reason}"
    ),
    "line {count}: {reason}": "{count} 行目：{reason}",
    "aliases are not read": "エイリアスは使用できません",
    "tags are not read": "タグは使用できません",
    "merge keys are not read": "マージキーは使用できません",
    "{column} stands twice, keep one": "{column} が重複しています。一つにしてください",
    "nested too deeply": "入れ子が深すぎます",
    "half a character, a lone surrogate": "文字が不完全です（単独のサロゲート）",
    "an escape of no character": "存在しない文字のエスケープです",
    "a number with far too many digits": "数値の桁数が多すぎます",
}
"""lambda_trigger.trigger, and the form of a marker in lambda_trigger.overrides."""
_VALUES = {
    "files: is not a list of files; expected names of files, each with its size in bytes: "
    "'files: {{train.csv: 1024, predict.csv: 96}}'": (
        "files：ファイルの一覧ではありません。ファイル名とバイト数を書いてください："
        "'files: {{train.csv: 1024, predict.csv: 96}}'"
    ),
    "files: {file} {reason}": "files：{file} {reason}",
    "{name}: is computed from the files of the raw folder; leave it out, and drop the marker beside other files": (
        "{name}：元データフォルダのファイルから計算されます。これを書かずに、"
        "別のファイルのあるフォルダにマーカーファイルを置いてください"
    ),
    "{name}: has no default; give it a value in the marker": (
        "{name}：既定値がありません。マーカーファイルに値を書いてください"
    ),
    "{name}: is no parameter of this pipeline; did you mean {near}?": (
        "{name}：このパイプラインのパラメタではありません（{near} の間違いではありませんか？）"
    ),
    "{name}: is no parameter of this pipeline; there are {listed}": (
        "{name}：このパイプラインのパラメタではありません（使用できるもの：{listed}）"
    ),
    "{name}: is {hint}, expected {reason}": "{name}：{hint} ではなく、{reason}が必要です",
    "{name}: is {hint}, expected {choices}; did you mean {near}?": (
        "{name}：{hint} ではなく、{choices} のいずれかが必要です（{near} の間違いではありませんか？）"
    ),
    "empty": "空の値",
    "a huge number": "巨大な数値",
    "a dict": "マッピング",
    "a list": "リスト",
    "text": "文字列",
    "text; put it in quotes": "文字列（引用符で囲んでください）",
    "true or false": " true または false ",
    "a whole number": "整数",
    "a number, such as 12.5": "数値（例：12.5）",
    "{name}: holds a line break or another control character; leave it out": (
        "{name}：改行などの制御文字があります。取り除いてください"
    ),
    "{name}: has {count} characters, at most {limit} are allowed; shorten it": (
        "{name}：{count} 文字あります（{limit} 文字以内）。短くしてください"
    ),
    "{name}: {value} is no MAE; expected a number above 0 and below 1e12": (
        "{name}：{value} は MAE ではありません。0 より大きく 1e12 より小さい数値が必要です"
    ),
    "{name}: {value} is too long or no time; expected 1 to {limit} seconds, so that a training ends before its job is "
    "stopped, or raise instances.train.max_runtime in the config and deploy": (
        "{name}：{value} は長すぎるか、時間ではありません。ジョブが停止される前に学習が終わるよう 1～{limit} "
        "秒にするか、"
        "設定の instances.train.max_runtime を増やしてデプロイしてください"
    ),
}
"""The values in a marker: lambda_trigger.overrides."""
_STEPS = {
    "... (cut by the service; the log has all of it)": "...（サービスにより省略。全文はログにあります）",
    "{url} (open Studio, then Pipelines, {pipeline}, {execution})": (
        "{url}（Studio を開き、Pipelines、{pipeline}、{execution} の順に選択）"
    ),
    "started by {uri}": "{uri} により開始",
    "started by {uri}, put by {who}": "{who} が置いた {uri} により開始",
    "{amount} bytes": "{amount} バイト",
    "{reason} (drift.{key}.fail is {limit})": "{reason}（drift.{key}.fail は {limit}）",
    "{count} limit of `drift` passed, so that nothing was trained:": (
        "`drift` の上限を {count} 件超えたため、学習は行われませんでした："
    ),
    "{count} limits of `drift` passed, so that nothing was trained:": (
        "`drift` の上限を {count} 件超えたため、学習は行われませんでした："
    ),
    "All measures are in {uri}. Mend the files or change `drift` in the config, then start a new run.": (
        "すべての測定値は {uri} にあります。ファイルを修正するか設定の `drift` を変更し、新しい実行を開始してください。"
    ),
    "the rows to predict do not fit {count} approved default, so that nothing was scored:": (
        "推論データが {count} 件の承認済みデフォルトモデルに合わないため、推論は行われませんでした："
    ),
    "the rows to predict do not fit {count} approved defaults, so that nothing was scored:": (
        "推論データが {count} 件の承認済みデフォルトモデルに合わないため、推論は行われませんでした："
    ),
    "All of it is in {uri}. Bring the prediction files to the models' columns, or approve versions that were trained "
    "on these, then start a new run.": (
        "詳細は {uri} にあります。推論ファイルの列をモデルに合わせるか、このデータの列で学習したバージョンを承認し、"
        "新しい実行を開始してください。"
    ),
    "the approved defaults do not take the same rows: {reason}. Refresh or approve versions that were trained on the "
    "same columns, then start again": (
        "承認済みのデフォルトモデルが同じ形式の行を受け付けません：{reason}。同じ列で学習したバージョンに更新または承認し、"
        "もう一度開始してください"
    ),
    "nobody can tell which columns the approved defaults take: {names} were registered without schema.json; register "
    "their artifacts again (register MODEL ARTIFACT), which writes it, or run the whole pipeline (--mode full)": (
        "承認済みのデフォルトモデルの列が分かりません：{names} は schema.json なしで登録されています。モデルファイルを"
        "登録し直すと（register MODEL ARTIFACT）作成されます。またはパイプライン全体を実行してください（--mode full）"
    ),
    "no approved default model for {count} segment: {names}.": (
        "{count} セグメントに承認済みのデフォルトモデルがありません：{names}。"
    ),
    "no approved default model for {count} segments: {names}.": (
        "{count} セグメントに承認済みのデフォルトモデルがありません：{names}。"
    ),
    "no approved default model that loads here for {count} segment: {names}.": (
        "この環境で読み込める承認済みのデフォルトモデルが {count} セグメントにありません：{names}。"
    ),
    "no approved default model that loads here for {count} segments: {names}.": (
        "この環境で読み込める承認済みのデフォルトモデルが {count} セグメントにありません：{names}。"
    ),
    "Approve a version of each (or register an artifact of your own: register MODEL ARTIFACT):": (
        "それぞれのバージョンを承認してください（または自分のモデルファイルを登録：register MODEL ARTIFACT）："
    ),
    "Refresh or approve a version of each (or register an artifact of your own: register MODEL ARTIFACT):": (
        "それぞれのバージョンを更新または承認してください（または自分のモデルファイルを登録：register MODEL "
        "ARTIFACT）："
    ),
    "then start the run's failed steps again:": "その後、失敗したステップから再実行してください：",
}
"""Our own messages of failed steps: lambda_trigger.decide and lambda_trigger.check, and what mails add to them."""
_OF_MODELS = {
    f"{{model}}: {english}{end}": f"{{model}}：{text}{'。' * bool(end)}"
    for english, text in japanese.SENTENCES.items()
    for start, end in (("column {column}", ""), ("the approved default", ""), ("default v{version}", "."))
    if english.startswith(start)
}
"""What such a message says of one model."""
SENTENCES = {**japanese.SENTENCES, **_FILES, **_MARKERS, **_VALUES, **_STEPS, **_OF_MODELS}
