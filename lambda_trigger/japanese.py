"""Japanese for what the mails say, and for the problems that a refused marker has, by their English form. Pure."""

from __future__ import annotations

TEXTS = {
    # forms
    "; ": "；",
    ", ": "、",
    "{name}:": "{name}：",
    "{name}: {text}": "{name}：{text}",
    "{names} and {count} more": "{names} ほか {count} 件",
    "{low} to {high}": "{low}～{high}",
    "{time:%Y-%m-%d %H:%M} {zone}": "{time.year}年{time.month}月{time.day}日 {time:%H:%M}（{zone}）",
    "... (cut; the report has everything)": "...（省略。すべてはレポートにあります）",
    # what heads a fact
    "execution": "実行 ID",
    "time": "日時",
    "name": "名前",
    "started by": "開始者",
    "asked for": "開始のきっかけ",
    "raw data": "元データ",
    "training data": "学習データ",
    "prediction data": "推論データ",
    "view": "表示",
    "rows": "行数",
    "predictions": "推論結果",
    "report": "レポート",
    "summary": "サマリー",
    "marker": "マーカーファイル",
    "stopped while running": "実行中に停止されたステップ",
    # what heads a column
    "MODEL": "モデル",
    "MAE": "MAE",
    "95 %": "95% 信頼区間",
    "THRESHOLD": "閾値",
    "BASELINE": "ベースライン",
    "IMPROVEMENT": "改善率",
    "HOLDOUT": "評価用行数",
    "VERDICT": "判定",
    "ROWS": "行数",
    "SERVED BY": "推論したモデル",
    # started
    "{pipeline}: run started with {count} model ({names})": "{pipeline}：{count} モデルの実行を開始しました（{names}）",
    "{pipeline}: run started with {count} models ({names})": (
        "{pipeline}：{count} モデルの実行を開始しました（{names}）"
    ),
    "{count} file, {size}, version {version}": "{count} ファイル、{size}、バージョン {version}",
    "{count} files, {size}, version {version}": "{count} ファイル、{size}、バージョン {version}",
    # trained
    "{pipeline}: all {count} models passed the gate": (
        "{pipeline}：学習が完了し、{count} モデルすべてが判定に合格しました"
    ),
    "{pipeline}: the gate rejected {rejected} of {count} models ({names})": (
        "{pipeline}：学習が完了し、{count} モデル中 {rejected} モデルが判定で不合格でした（{names}）"
    ),
    "not trained": "未学習",
    "accepted": "合格",
    "REJECTED": "不合格",
    "Data to predict unlike training data, {count} warning:": "推論データが学習データと異なります（警告 {count} 件）：",
    "Data to predict unlike training data, {count} warnings:": (
        "推論データが学習データと異なります（警告 {count} 件）："
    ),
    "and {count} more, in the report": "ほか {count} 件（レポートを参照）",
    # finished
    "{pipeline}: {text}": "{pipeline}：{text}",
    "DEGRADED, {unserved} of {count} not served": "一部未完了（DEGRADED）、{count} セグメント中 {unserved} で推論なし",
    "DEGRADED, {unserved} of {count} not served ({names})": (
        "一部未完了（DEGRADED）、{count} セグメント中 {unserved} で推論なし（{names}）"
    ),
    "{defaults} of {count} served by DEFAULT": "{count} セグメント中 {defaults} をデフォルトモデルで推論",
    "{defaults} of {count} served by DEFAULT ({causes})": (
        "{count} セグメント中 {defaults} をデフォルトモデルで推論（{causes}）"
    ),
    "{fresh} of {count} served by fresh models": "{count} セグメント中 {fresh} を新しいモデルで推論",
    "{empty} without rows to predict": "{empty} セグメントには推論対象の行なし",
    "{name} MAE {mae} > {threshold}": "{name} MAE {mae} > {threshold}",
    "{name} {reason}": "{name} {reason}",
    "{rows} predictions for {wanted} rows": "推論対象 {wanted} 行に対して {rows} 件の推論結果",
    "FAILED, {count} row without a prediction: {failure}": "失敗、{count} 行を推論できませんでした：{failure}",
    "FAILED, {count} rows without a prediction: {failure}": "失敗、{count} 行を推論できませんでした：{failure}",
    "FAILED, its rows, none of which could be counted, without a prediction: {failure}": (
        "失敗、行数を数えることもできず、推論できませんでした：{failure}"
    ),
    "nobody - FAILED, see below": "なし - 失敗（下記を参照）",
    "fresh": "新しいモデル",
    "default": "デフォルトモデル",
    "skipped": "推論なし",
    "{source} version {version}": "{source} バージョン {version}",
    "{source} - {why}": "{source} - {why}",
    "{source} version {version} - {why}": "{source} バージョン {version} - {why}",
    "{uri} could not be written: consumers of it still see an earlier run": (
        "{uri} に書き込めませんでした。このファイルを参照する処理には以前の実行の結果が見えています"
    ),
    "Next:": "次に行うこと：",
    "to serve the segments without a default, approve a version of each, then score again:": (
        "デフォルトモデルのないセグメントを推論するには、それぞれのバージョンを承認してから、もう一度推論を実行してください："
    ),
    "mend what is said of {names} above, then start a new run:": (
        "上記の {names} の問題を解消し、新しい実行を開始してください："
    ),
    "nothing of this run can be approved for {names}, which did not train: "
    "mend the settings or the data (or neither, where the cause has passed), then start a new run:": (
        "{names} は学習できなかったため、この実行から承認できるモデルはありません。設定またはデータを修正し"
        "（原因が一時的なものであれば修正は不要です）、新しい実行を開始してください："
    ),
    "look at the report; to serve a model that the gate turned down, approve its newest version:": (
        "レポートを確認してください。判定で不合格のモデルを推論に使用するには、最新バージョンを承認します："
    ),
    # failed
    "{pipeline}: run {ended}": "{pipeline}：実行が{ended}",
    "{pipeline}: run {ended} in {step}": "{pipeline}：実行が{ended}（{step}）",
    "{pipeline}: run {ended} in {step} and {count} more step": (
        "{pipeline}：実行が{ended}（{step} ほか {count} ステップ）"
    ),
    "{pipeline}: run {ended} in {step} and {count} more steps": (
        "{pipeline}：実行が{ended}（{step} ほか {count} ステップ）"
    ),
    "FAILED": "失敗しました",
    "was STOPPED": "停止されました",
    "COMPLETED WITH FAILURES": "一部失敗のまま終了しました",
    "{name} ({model})": "{name} [{model}]",
    "{step}:": "{step} のエラー：",
    "log: {link}": "ログ：{link}",
    "Reason:": "理由：",
    "Run it again with:": "次のコマンドで再実行できます：",
    "Debug the step with:": "次のコマンドでステップをデバッグできます：",
    # refused
    "{pipeline}: NO run started by {name}, {count} problem": (
        "{pipeline}：{name} による実行は開始されませんでした（問題 {count} 件）"
    ),
    "{pipeline}: NO run started by {name}, {count} problems": (
        "{pipeline}：{name} による実行は開始されませんでした（問題 {count} 件）"
    ),
    "What is wrong:": "問題点：",
    "Mend it, then put the marker there again: each new version of it is looked at once.": (
        "問題を解消してから、マーカーファイルを置き直してください。置き直すたびに一度だけ確認されます。"
    ),
}
