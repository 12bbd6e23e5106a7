"""Japanese for the sentences that lie in a run's files: reasons of the gate, of trainings and of Decide, drift. Pure.

By their English form (`steps.language`); mails and report show them. The words are those of the sample that this
project began as: 学習, 推論, 評価用データ (holdout), 閾値, デフォルトモデル.
"""

from __future__ import annotations

SENTENCES = {
    # the gate's reasons: lambda_trigger.judge
    "no training rows": "学習データの行がありません",
    "training failed": "学習に失敗しました",
    "no count of holdout rows, at least {least} required": "評価用データの行数が不明です（{least} 行以上が必要）",
    "{rows} holdout rows, at least {least} required": "評価用データが {rows} 行しかありません（{least} 行以上が必要）",
    "MAE is not a finite number": "MAE が有限の数値ではありません",
    "MAE is {mae}, and no error is below 0": "MAE が {mae} です（誤差が 0 を下回ることはありません）",
    "MAE {mae} > threshold {limit}": "MAE {mae} > 閾値 {limit}",
    "baseline MAE is not a finite number, so nothing shows that the model has learned anything": (
        "ベースラインの MAE が有限の数値ではないため、モデルが何かを学習したとは確認できません"
    ),
    "baseline is {baseline} (constant label): no model can be better": (
        "ベースラインの MAE が {baseline} です（目的変数が一定）。これを上回るモデルはありえません"
    ),
    "MAE {mae} >= baseline {baseline}": "MAE {mae} >= ベースライン {baseline}",
    "MAE {mae} > {limit} ({ratio} x baseline {baseline})": (
        "MAE {mae} > {limit}（ベースライン {baseline} の {ratio} 倍）"
    ),
    # evaluations that cannot be read: lambda_trigger.evaluation
    "{file} cannot be read: {reason}; train this model again": (
        "{file} を読めません（{reason}）。このモデルを学習し直してください"
    ),
    "it is no JSON": "JSON ではありません",
    "it is no JSON object": "JSON オブジェクトではありません",
    "its status is none of {statuses}": "status が {statuses} のいずれでもありません",
    "it has more than {count} bytes": "{count} バイトを超えています",
    "it is no UTF-8 text": "UTF-8 のテキストではありません",
    # who serves, and why: lambda_trigger.decide, lambda_trigger.sharing, steps.delivery
    "accepted by the gate": "判定に合格",
    "the gate accepted the fresh model": "新しいモデルが判定に合格",
    "policy all: the gate rejected {names}": "ポリシー all：{names} が判定で不合格",
    "{names} and {count} more": "{names} ほか {count} 件",
    "no rows to predict": "推論対象の行がありません",
    "its rows to predict could not be prepared": "推論データを準備できませんでした",
    "no approved default model": "承認済みのデフォルトモデルがありません",
    "scoring only": "推論のみの実行",
    "column {column} is {kind} for version {version} of {one}, {other} for version {newer} of {another}": (
        "列 {column} は {one} のバージョン {version} では {kind}、{another} のバージョン {newer} では {other}"
    ),
    "no approved default model of its own: the pooled default serves its rows": (
        "専用の承認済みデフォルトモデルがないため、共有のデフォルトモデルで推論します"
    ),
    "scoring only: there are no training data to compare with": "推論のみの実行のため、比較する学習データがありません",
    "default v{version} was trained with {trained}, here is {here}; refresh it": (
        "デフォルトモデル v{version} は {trained} で学習されていますが、この環境は {here} です。更新"
        "（refresh）してください"
    ),
    "default v{version} is one whose artifact does not lie below {prefix}; register it again": (
        "デフォルトモデル v{version} のファイルは {prefix} の下にありません。登録し直してください"
    ),
    "default v{version} needs {needs}, the other models of {job} need {shared}; refresh it": (
        "デフォルトモデル v{version} には {needs} が、{job} の他のモデルには {shared} が必要です。更新"
        "（refresh）してください"
    ),
    "no reason was given": "理由は記録されていません",
    "rejected": "不合格",
    # trainings and preparations that failed or had nothing to do: steps.train, steps.trial, steps.learning
    "no training rows with a label": "目的変数のある学習データの行がありません",
    "no training rows ({train} for training, {held} held out)": (
        "学習データの行がありません（学習用 {train}、評価用 {held}）"
    ),
    "no holdout rows to measure a model on ({train} for training, {held} held out)": (
        "モデルを評価する行がありません（学習用 {train}、評価用 {held}）"
    ),
    "no holdout rows to measure a model on: give it more rows": (
        "モデルを評価する行がありません。行数を増やしてください"
    ),
    "the training rows of {model} could not be prepared": "{model} の学習データを準備できませんでした",
    "{count} row": "{count} 行",
    "{count} rows": "{count} 行",
    "no model could be trained on {hint} within {limit}": (
        "{hint}のデータでは {limit} 以内に学習できたモデルがありません"
    ),
    "AutoGluon could not train on {hint} within {limit} ({error})": (
        "AutoGluon は {hint}のデータを {limit} 以内に学習できませんでした（{error}）"
    ),
    "the trained model could not score {hint} of its holdout ({error})": (
        "学習したモデルで評価用データ {hint} を推論できませんでした（{error}）"
    ),
    "{work} was killed (SIGKILL), most likely because memory ran out": (
        "{work} のプロセスが強制終了されました（SIGKILL）。メモリ不足の可能性が高いです"
    ),
    "{work} was ended by {signal}": "{work} のプロセスが {signal} で終了しました",
    "{work} could not write its files, most likely because the disk is full": (
        "{work} のプロセスがファイルを書き込めませんでした。ディスク容量不足の可能性が高いです"
    ),
    "{work} ended with exit code {code} and no outcome; see the step's log": (
        "{work} のプロセスが結果を残さずに終了コード {code} で終了しました。ステップのログを確認してください"
    ),
    "{work} was stopped by the outer guard after {seconds} s": "{work} のプロセスが {seconds} 秒の上限で停止されました",
    "measuring on the holdout was stopped after {seconds} s": "評価用データでの評価が {seconds} 秒で停止されました",
    "training met a {error} at {place}": "学習中に {error} が発生しました（{place}）",
    "inference met a {error} at {place}": "推論中に {error} が発生しました（{place}）",
    # drift: lambda_trigger.findings, lambda_trigger.check, steps.drift
    "column {column}: {share} of the rows have a category that training did not see": (
        "列 {column}：{share} の行に、学習データにないカテゴリがあります"
    ),
    "column {column}: {share} of the rows are null, in training {other}": (
        "列 {column}：{share} の行が空です（学習データでは {other}）"
    ),
    "column {column}: PSI {psi} between training rows and rows to predict": (
        "列 {column}：学習データと推論データの間の PSI は {psi} です"
    ),
    "the approved default (version {version}) could not serve these rows: {reason}": (
        "承認済みのデフォルトモデル（バージョン {version}）ではこれらの行を推論できません：{reason}"
    ),
    "column {column} is missing": "列 {column} がありません",
    "column {column} is missing (nearest is {nearest})": "列 {column} がありません（近い名前：{nearest}）",
    "column {column} is {kind}, the model was trained on {other}": (
        "列 {column} は {kind} ですが、モデルは {other} で学習されています"
    ),
    "drift.ignore names {column}, which is no feature": "drift.ignore の {column} という特徴量はありません",
    "drift.ignore names {column}, which is no feature (nearest is {nearest})": (
        "drift.ignore の {column} という特徴量はありません（近い名前：{nearest}）"
    ),
    "not checked: it was registered without {file}": "{file} なしで登録されているため、確認できません",
    "not checked: its {file} cannot be read": "{file} を読めないため、確認できません",
    # data: steps.intake, steps.assignment, steps.infer, steps.speed
    "column {column} is empty in all training files and is ignored": (
        "列 {column} はすべての学習ファイルで空のため、使用しません"
    ),
    "column {column}: {count} cells are infinite or not a number, read as empty": (
        "列 {column}：無限大または数値でないセル {count} 個を空として読み込みました"
    ),
    "model {model} has no rows to train on: its {count} rows to predict are skipped": (
        "モデル {model} には学習データの行がないため、推論対象の {count} 行を推論しません"
    ),
    "column {column} is unknown to the model and was ignored": "列 {column} はモデルにないため、使用しませんでした",
    "{model} scores {speed} rows/s, the settings ask for {floor}: none that was tried reaches that by AutoGluon's "
    "clock, or its clock and this one differ; lower training.min_rows_per_second, or give faster models in "
    "training.hyperparameters": (
        "{model} の推論速度は {speed} 行/秒で、設定の {floor} 行/秒に達していません。"
        "試したモデルの中に達するものがないか、"
        "AutoGluon の計測とこの計測が異なります。training.min_rows_per_second を下げるか、"
        "training.hyperparameters でより速いモデルを指定してください"
    ),
}
