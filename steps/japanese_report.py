"""Japanese for the report, by the English form of its texts; `steps.japanese_script` has those of its script. Pure."""

from __future__ import annotations

from steps.japanese_script import SCRIPT

PAGE = {
    # words of records
    "fresh": "新しいモデル",
    "default": "デフォルトモデル",
    "skipped": "推論なし",
    "failed": "失敗",
    "passed": "合格",
    "rejected": "不合格",
    "not trained": "未学習",
    "Succeeded": "成功",
    "Degraded": "一部未完了",
    # head
    "Skip to the models": "モデルの表へ移動",
    "Parts of this page": "このページの内容",
    "Models": "モデル",
    "Charts": "グラフ",
    "Pipeline": "パイプライン",
    "Data": "データ",
    "Lineage": "来歴",
    "Settings": "設定",
    "Dark mode": "ダークモード",
    "run {execution}": "実行 {execution}",
    "What was published and what to do next": "公開されたものと、次に行うこと",
    "Published": "公開されたもの",
    "{rows} predictions for {all} rows, in the order of the prediction files.": (
        "推論対象 {all} 行に対して {rows} 件の推論結果（推論ファイルの順）。"
    ),
    "Parquet files: {count}": "Parquet ファイル：{count} 個",
    "the same as CSV": "同じ内容の CSV",
    "the summary for programs": "プログラム用のサマリー",
    "Next": "次に行うこと",
    "Commands": "コマンド",
    "Key figures": "主な数値",
    # advice
    "Add the --config, --env and --workspace that this run was started with, if any:": (
        "この実行の開始時に --config、--env、--workspace を指定した場合は、それらを追加してください："
    ),
    "Look at the rejected models below. To let one serve all the same, approve it as the default.": (
        "下の不合格のモデルを確認してください。それでも推論に使用するには、デフォルトモデルとして承認します。"
    ),
    "Nothing needs doing. To have these models as defaults should a later run be rejected, approve them.": (
        "必要な作業はありません。以後の実行で不合格になった場合にこれらのモデルをデフォルトモデルとして使用するには、"
        "承認してください。"
    ),
    "Nothing needs doing.": "必要な作業はありません。",
    "Failed and left out, the others are not touched by it: {reasons}. Mend the data, then start a new run; "
    "where nothing is wrong with the data, run the step again, and all after it.": (
        "失敗のため除外しました（他のセグメントには影響ありません）：{reasons}。データを修正し、"
        "新しい実行を開始してください。"
        "データに問題がない場合は、そのステップ以降を再実行してください。"
    ),
    "Failed and left out, the others are not touched by it: {reasons}. Mend the data, then start a new run.": (
        "失敗のため除外しました（他のセグメントには影響ありません）：{reasons}。データを修正し、"
        "新しい実行を開始してください。"
    ),
    "Skipped: {reasons}. Give each of them what it lacks, then start a new run.": (
        "推論なし：{reasons}。不足しているものを用意し、新しい実行を開始してください。"
    ),
    "Skipped: {reasons}. Approve or register a default for each, then start a new run.": (
        "推論なし：{reasons}。それぞれのデフォルトモデルを承認または登録し、新しい実行を開始してください。"
    ),
    "Skipped: {reasons}. Mend the settings or the data of what failed in training (or neither, where the cause has "
    "passed), or approve or register a default for each, then start a new run.": (
        "推論なし：{reasons}。学習に失敗したものは設定またはデータを修正するか"
        "（原因が一時的なものであれば修正は不要です）、"
        "それぞれのデフォルトモデルを承認または登録し、新しい実行を開始してください。"
    ),
    "{named} and {count} more": "{named} ほか {count} 件",
    "{name} ({reason})": "{name}（{reason}）",
    "# and {count} more": "# ほか {count} 件",
    "no reason was given": "理由は記録されていません",
    # key figures
    "Predictions": "推論結果",
    "of {rows} rows to predict": "推論対象 {rows} 行中",
    "Passed the gate": "判定に合格",
    "{passed} of {all}": "{passed} / {all}",
    "models": "モデル",
    "Better than the baseline": "ベースラインからの改善",
    "MAE below the median predictor's, median of the models": "中央値による予測に対する MAE の改善率（モデルの中央値）",
    "{seconds} s": "{seconds} 秒",
    "fit time, all models together": "全モデルの学習時間の合計",
    "Served by defaults": "デフォルトモデルで推論",
    "all models together": "全モデルの合計",
    # the table of models
    "Search": "検索",
    "name, verdict, reason": "名前、判定、理由",
    "Served by": "推論したモデル",
    "all": "すべて",
    "Charts, search and sorting need JavaScript; this table is complete without it.": (
        "グラフ、検索、並べ替えには JavaScript が必要です。この表は JavaScript なしでも完全です。"
    ),
    "Table of models": "モデルの表",
    "MAE": "MAE",
    "Threshold": "閾値",
    "Baseline": "ベースライン",
    "Improvement": "改善率",
    "Holdout rows": "評価用行数",
    "Drift (PSI)": "ドリフト（PSI）",
    "version {version}": "バージョン {version}",
    "Show all models": "すべてのモデルを表示",
    "Open a model for its errors, importances, leaderboard and drift. MAE is measured on held-out rows, below it "
    "its 95% "
    "interval.": (
        "モデルを開くと、誤差、特徴量の重要度、リーダーボード、ドリフトが表示されます。"
        "MAE は評価用データで測定し、その下は 95% 信頼区間です。"
    ),
    "MAE is what was recorded when the default was registered, below it its 95% interval.": (
        "MAE はデフォルトモデルの登録時に記録された値で、その下は 95% 信頼区間です。"
    ),
    "A run that scores only: approved defaults serve, nothing was trained.": (
        "推論のみの実行です。承認済みのデフォルトモデルで推論し、学習は行っていません。"
    ),
    "1 warning": "警告 1 件",
    "{count} warnings": "警告 {count} 件",
    # charts
    "Charts of all models": "全モデルのグラフ",
    "Error against threshold and baseline": "誤差と閾値・ベースライン",
    "Scale of the error chart": "誤差グラフの目盛り",
    "% of baseline": "ベースライン比（%）",
    "Time per model": "モデルごとの時間",
    # the graph
    "Graph of the steps": "ステップのグラフ",
    "{count} models": "{count} モデル",
    "critical path": "クリティカルパス",
    "from an earlier execution": "以前の実行の結果",
    "Table of the steps": "ステップの表",
    "Step": "ステップ",
    "Began": "開始",
    "Took": "所要時間",
    "Critical path": "クリティカルパス",
    "earlier execution": "以前の実行",
    "yes": "はい",
    "not timed": "計測なし",
    "{minutes} min {seconds} s": "{minutes} 分 {seconds} 秒",
    "{hours} h {minutes} min": "{hours} 時間 {minutes} 分",
    "after {time}": "{time} 後",
    "and {count} more, which took less": "ほか {count} 件（より短時間）",
    "From the start of the execution to the last line of this page {whole} passed, {inside} of it inside the steps "
    "on the "
    "critical path.": (
        "実行の開始からこのページの作成まで {whole}、そのうちクリティカルパス上のステップ内は {inside} です。"
    ),
    "Times are what the steps recorded inside their jobs: the start of a job is not in them.": (
        "時間は各ステップがジョブの中で記録したもので、ジョブの起動時間は含みません。"
    ),
    "A step from an earlier execution shows what it took there; it took no time in this one.": (
        "以前の実行の結果を使用したステップには、そのときの所要時間を示します（今回は時間がかかっていません）。"
    ),
    # data
    "Training rows read": "読み込んだ学習データの行数",
    "Dropped for a null label": "目的変数が空のため除いた行数",
    "Training rows in no segment of their own": "固有のセグメントに属さない学習データの行数",
    "Training rows skipped": "使用しなかった学習データの行数",
    "Columns ignored, empty in training": "学習データで空のため使用しない列",
    "none": "なし",
    "Rows to predict": "推論対象の行数",
    "Of these in no segment of their own": "うち固有のセグメントに属さない行数",
    "Of these skipped": "うち推論しない行数",
    "Predicted": "推論した行数",
    "Extra columns in the prediction files, ignored": "推論ファイルにのみあり使用しない列",
    "Warnings": "警告",
    "Training files": "学習ファイル",
    "Prediction files": "推論ファイル",
    "{side}: {count}": "{side}：{count} 個",
    "File": "ファイル",
    "Bytes": "バイト数",
    "and {count} more": "ほか {count} 件",
    # lineage and settings
    "Execution": "実行 ID",
    "Execution began (UTC)": "実行の開始（UTC）",
    "Raw data": "元データ",
    "Training data version": "学習データのバージョン",
    "Prediction data version": "推論データのバージョン",
    "Fallback policy": "デフォルトモデルの使用ポリシー",
    "Parameter {name}": "パラメタ {name}",
    "Python of the training": "学習時の Python",
    "Python of this page": "このページを作成した Python",
    "{library} of this page": "このページを作成した {library}",
    "Code and images": "コードとイメージ",
    "Code of step": "ステップのコード",
    "Image on AWS": "AWS 上のイメージ",
    "Model artifacts": "モデルファイル",
    "sha256 of the serving artifact": "推論に使用したファイルの sha256",
    "sha256 trained in this run": "この実行で学習したファイルの sha256",
    "the same": "同じ",
    "Settings of this run, defaults included: {count}": "この実行の設定（既定値を含む）：{count} 件",
    "Setting": "設定",
    "Value": "値",
    "The definition of this run did not hand its settings over.": "この実行の定義には設定が含まれていません。",
    # one model
    "Failed: {reason}": "失敗：{reason}",
    "{count} rows to predict have no prediction": "推論対象の {count} 行に推論結果がありません",
    "The registered default served this segment; what is shown of the holdout is this run's model": (
        "このセグメントは登録済みのデフォルトモデルで推論しました。"
        "評価用データについての表示はこの実行のモデルのものです"
    ),
    "Best model": "最良のモデル",
    "MAE, 95% interval": "MAE の 95% 信頼区間",
    "Training rows": "学習データの行数",
    "Holdout rows/s": "評価用データ 行/秒",
    "Inference": "推論",
    "Default version": "デフォルトモデルのバージョン",
    "Nothing is compared: {reason}.": "比較していません：{reason}。",
    "PSI (population stability index) compares a column's shares over the deciles or categories of training, 0 is no "
    "change, by rule of thumb 0.1 a small shift and 0.25 a large one; for a few rows a large one may be chance.": (
        "PSI（population stability index）は、学習データの十分位またはカテゴリごとの割合を比較したものです。0 "
        "は変化なし、"
        "目安として 0.1 は小さな変化、0.25 は大きな変化です。行数が少ない場合、大きな値は偶然の可能性があります。"
    ),
    "{count} columns that moved less are left out.": "変化の小さい {count} 列は省略しています。",
    "Approved default, version {version}: {why}.": "承認済みのデフォルトモデル（バージョン {version}）：{why}。",
    # verdict of the run: steps.summary
    "No model was trained": "学習したモデルはありません",
    "The model passed the gate": "モデルは判定に合格しました",
    "All {count:,} models passed the gate": "{count:,} モデルすべてが判定に合格しました",
    "{down} of {count} model was rejected by the gate": "{count} モデル中 {down} モデルが判定で不合格でした",
    "{count:,} of {all:,} models was rejected by the gate": "{all:,} モデル中 {count:,} モデルが判定で不合格でした",
    "{count:,} of {all:,} models were rejected by the gate": "{all:,} モデル中 {count:,} モデルが判定で不合格でした",
    "There was nothing to predict": "推論対象はありませんでした",
    "{part:,} of {count:,} segment served by fresh models": "{count:,} セグメント中 {part:,} を新しいモデルで推論",
    "{part:,} of {count:,} segments served by fresh models": "{count:,} セグメント中 {part:,} を新しいモデルで推論",
    "{part:,} of {count:,} served by fresh models": "{count:,} セグメント中 {part:,} を新しいモデルで推論",
    "{part:,} of {count:,} segment served by DEFAULT": "{count:,} セグメント中 {part:,} をデフォルトモデルで推論",
    "{part:,} of {count:,} segments served by DEFAULT": "{count:,} セグメント中 {part:,} をデフォルトモデルで推論",
    "{part:,} of {count:,} served by DEFAULT": "{count:,} セグメント中 {part:,} をデフォルトモデルで推論",
    "{part:,} of {count:,} SKIPPED": "{count:,} セグメント中 {part:,} は推論なし",
    "{part:,} of {count:,} FAILED": "{count:,} セグメント中 {part:,} は失敗",
    "{named}; and {count:,} more": "{named}；ほか {count:,} 件",
    " ({text})": "（{text}）",
    "{name}: {text}": "{name}：{text}",
    ", ": "、",
    "; ": "；",
}
"""What stands in the page when it is made."""

TEXTS = {**SCRIPT, **PAGE}
