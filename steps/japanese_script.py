"""Japanese for what the script of the report says, by the English form of its texts: it travels in the page. Pure."""

from __future__ import annotations

SCRIPT = {
    # words that the page says as well
    "Model": "モデル",
    "Verdict": "判定",
    "Rows": "行数",
    "Rows/s": "行/秒",
    "Fit s": "学習 秒",
    "Training": "学習",
    "What came true": "実績との比較",
    "{low} to {high}": "{low}～{high}",
    # charts over all models
    "Bar: MAE on held-out rows with its 95% interval (bootstrap over rows), red where the gate rejected it. "
    "Shorter is better.": (
        "棒：評価用データでの MAE と 95% 信頼区間（行のブートストラップ）。判定で不合格のモデルは赤。短いほど良好です。"
    ),
    "Shown are the {shown} of {all} models nearest to or beyond their baseline; the table has all.": (
        "{all} モデルのうち、ベースラインに最も近いか超えている {shown} モデルを表示しています。すべては表にあります。"
    ),
    "Models without a measured MAE: {count}.": "MAE を測定していないモデル：{count}。",
    "{model} {mae}, threshold {threshold}, baseline {baseline}": (
        "{model} {mae}（閾値 {threshold}、ベースライン {baseline}）"
    ),
    "MAE per model. {models}. All values are in the table of models.": (
        "モデルごとの MAE。{models}。すべての値はモデルの表にあります。"
    ),
    "threshold": "閾値",
    "baseline": "ベースライン",
    "MAE in % of the baseline's": "ベースラインに対する MAE の割合（%）",
    "Seconds to fit and to predict, all models together: {fit} and {infer}.": (
        "全モデルの合計：学習 {fit} 秒、推論 {infer} 秒。"
    ),
    "Shown are the {shown} of {all} models that took longest.": (
        "{all} モデルのうち、最も時間のかかった {shown} モデルを表示しています。"
    ),
    "fit": "学習",
    "inference": "推論",
    "seconds": "秒",
    # what came true
    "worse": "予測より悪い",
    "too few rows": "行数不足",
    "within": "予測どおり",
    "better": "予測より良い",
    "no promise": "比較対象なし",
    "{verdict}: {count}": "{verdict}：{count}",
    "Realised MAE": "実績の MAE",
    "95% interval": "95% 信頼区間",
    "Promised MAE": "評価時の MAE",
    "Bias": "偏り",
    "RMSE": "RMSE",
    "Without truth": "実績なし",
    "The error once the truth was known, against the interval that the holdout had promised. Compared {rows} rows; "
    "{missing} have no truth yet, {unpredicted} rows of the file no prediction. Bias is the mean of prediction minus "
    "truth.": (
        "実績が判明した後の誤差を、評価用データで得た区間と比較したものです。{rows} 行を比較しました。{missing} 行には"
        "まだ実績がなく、ファイルの {unpredicted} 行には推論結果がありません。偏りは「推論結果 − 実績」の平均です。"
    ),
    # one model: holdout
    "row": "行",
    "rows": "行数",
    "actual": "実際の値",
    "predicted": "予測値",
    "predicted − actual": "予測値 − 実際の値",
    "{some} of {all} rows, drawn at random": "{all} 行から無作為に選んだ {some} 行",
    "{all} rows": "{all} 行",
    "Predicted and actual, holdout": "予測値と実際の値（評価用データ）",
    "{rows}; on the dashed line a prediction is exact": "{rows}。破線上では予測が正確に一致しています",
    "Scatter of predicted against actual values of the holdout: {rows}.": (
        "評価用データの予測値と実際の値の散布図：{rows}。"
    ),
    "Residuals, holdout": "残差（評価用データ）",
    "Median {middle}; 90% lie between {low} and {high}. End bars hold the tails.": (
        "中央値 {middle}、90% が {low}～{high} の間。両端の棒には裾の値を含みます。"
    ),
    "Histogram of predicted minus actual: median {middle}, 90% between {low} and {high}.": (
        "「予測値 − 実際の値」のヒストグラム：中央値 {middle}、90% が {low}～{high} の間。"
    ),
    # one model: features and the models tried
    "Importances": "特徴量の重要度",
    "MAE added when shuffled": "値を入れ替えたときの MAE の増加",
    "Features that matter most: {count}": "重要な特徴量：上位 {count}",
    "Importances: {features}.": "特徴量の重要度：{features}。",
    "tried": "試したモデル",
    "chosen": "採用",
    "floor": "下限",
    "rows/s": "行/秒",
    "rows per second": "1 秒あたりの行数",
    "holdout MAE": "評価用データの MAE",
    "{model} (chosen)": "{model}（採用）",
    "{model} (chosen) {mae} at {rate} rows/s": "{model}（採用）{mae}、{rate} 行/秒",
    "{model} {mae} at {rate} rows/s": "{model} {mae}、{rate} 行/秒",
    "Accuracy and inference speed": "精度と推論速度",
    "Lower is more accurate, further right is faster.": "下ほど高精度、右ほど高速です。",
    "Timed on {rows} holdout rows, with what one call and loading the model cost: on few rows all look slow.": (
        "評価用データ {rows} 行で計測（呼び出しとモデル読み込みの時間を含むため、行数が少ないと遅く見えます）。"
    ),
    "The dashed line is the floor, {floor} rows/s.": "破線は下限の {floor} 行/秒です。",
    "Holdout MAE against rows per second of the models tried: {models}. All are in the leaderboard.": (
        "試したモデルの評価用データの MAE と 1 秒あたりの行数：{models}。すべてはリーダーボードにあります。"
    ),
    "Leaderboard": "リーダーボード",
    "Holdout MAE": "評価用データの MAE",
    "Validation MAE": "検証データの MAE",
    "Predict s": "推論 秒",
    "Details of {model}": "{model} の詳細",
    # one model: errors by feature
    "Error by the features that matter most": "重要な特徴量ごとの誤差",
    "MAE on a sample of the holdout, by values of a feature, with its 95% interval: where the model is good and where "
    "it is not.": (
        "評価用データの標本での MAE を特徴量の値ごとに、95% 信頼区間とともに示します。"
        "モデルの得意・不得意が分かります。"
    ),
    "Error by {feature}": "{feature} ごとの誤差",
    "Largest at {bin}: MAE {mae} on {rows} rows. The dashed line is the MAE of all {all} rows sampled.": (
        "最大は {bin}：{rows} 行で MAE {mae}。破線は標本 {all} 行全体の MAE です。"
    ),
    "MAE by {feature}: {bins}.": "{feature} ごとの MAE：{bins}。",
    "{bin} {mae}": "{bin} {mae}",
    "As a table": "表で見る",
    "bias": "偏り",
    "no value": "値なし",
    "{count} others": "その他 {count} 種",
    # one model: predictions and drift
    "Predictions and training labels": "推論結果と学習データの目的変数",
    "Should look alike if the data to predict resemble those of the training": (
        "推論データが学習データに似ていれば、同じような形になります"
    ),
    "Distribution of the predictions beside that of the labels in training.": (
        "推論結果の分布と、学習データの目的変数の分布。"
    ),
    "labels in training": "学習データの目的変数",
    "predictions": "推論結果",
    "value": "値",
    "density": "密度",
    "Drift, training rows to rows to predict": "学習データと推論データの違い（ドリフト）",
    "Column": "列",
    "PSI": "PSI",
    "Null in training": "学習データの空の割合",
    "Null to predict": "推論データの空の割合",
    "Unseen categories": "未知のカテゴリ",
    "Columns that moved most": "最も変化した列",
    "Of a number the box holds the middle half of the rows, the line 90% of them.": (
        "数値では、箱が中央の 50%、線が 90% の行を示します。"
    ),
    "training": "学習",
    "to predict": "推論",
    "To predict": "推論",
    "% of rows": "行の割合（%）",
    "Share of rows": "行の割合",
    "Share of rows by category": "カテゴリごとの行の割合",
    "{category} {training} and {predict}": "{category}：学習 {training}、推論 {predict}",
    "Share of rows in training and to predict: {categories}.": "学習データと推論データの行の割合：{categories}。",
    "Median {before} in training, {after} to predict": "中央値：学習 {before}、推論 {after}",
    "From 5% to 95% of the rows: {low} to {high} in training, {from} to {to} to predict; medians {before} and "
    "{after}.": ("行の 5%～95%：学習 {low}～{high}、推論 {from}～{to}。中央値：{before} と {after}。"),
    "Categories that training never saw": "学習データにないカテゴリ",
    "Null rates far from training's": "空の割合が学習データと大きく異なる列",
    # the table of models
    "{count} in all": "全 {count} 件",
    "{shown} of {all}": "{all} 件中 {shown} 件",
}
