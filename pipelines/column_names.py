"""What the names of columns and files hint at, in English and Japanese. Pure: words and weights, no data."""

from __future__ import annotations

import re
from collections.abc import Collection

TRAIN_WORDS = {"train", "training", "trained", "history", "historical", "hist", "past", "labelled", "labeled", "learn"}
PREDICT_WORDS = {
    *{"predict", "prediction", "predictions", "pred", "test", "testing", "score", "scoring", "infer", "inference"},
    *{"forecast", "future", "new", "unlabelled", "unlabeled", "upcoming"},
}
_WEAK = {"score", "scoring", "forecast", "future", "new", "upcoming"}
"""Words that are as often the subject of the data: `credit_score_train.csv`."""
TRAIN_PARTS, PREDICT_PARTS = ("学習", "訓練", "実績", "過去"), ("予測", "推論", "テスト", "未来", "評価")

_LABELS = {"label", "target", "outcome", "response"}
_MEASURES = {
    *{"price", "sales", "sale", "revenue", "demand", "amount", "value", "cost", "delay", "consumption", "yield"},
    *{"quantity", "qty", "units", "sold", "load", "energy", "power", "kwh", "output", "turnover", "profit", "margin"},
    *{"score", "count", "total", "duration", "rent", "wait", "usage", "spend", "spending", "income", "volume", "fare"},
    *{"production", "emission", "emissions", "orders", "visitors", "minutes", "hours", "wear", "lifetime", "charges"},
}
_LABEL_PARTS = ("目的", "正解", "ラベル")
_MEASURE_PARTS = (
    "売上",
    "価格",
    "金額",
    "需要",
    "販売",
    "数量",
    "収量",
    "費用",
    "賃料",
    "家賃",
    "消費",
    "来客",
    "生産",
)

_OWNERS = {"user", "order", "row", "record", "sample", "invoice", "transaction", "house", "listing", "event", "reading"}
_KEYS = {"id", "ids", "uuid", "guid", "key", "identifier"}
_NUMBERS = {"no", "number", "nr", "num", "code", "index", "idx", "row", "ref", "sku", "serial", "ticket", "record"}
_KEY_PARTS, _NUMBER_PARTS = ("番号", "識別"), ("コード", "連番")

_ENTITIES = {
    *{"store", "shop", "branch", "outlet", "site", "plant", "factory", "machine", "device", "sensor", "station"},
    *{"meter", "warehouse", "airport", "origin", "region", "area", "country", "city", "state", "prefecture", "market"},
    *{"segment", "group", "department", "dept", "division", "line", "location", "building", "hospital", "school"},
    *{"restaurant", "hotel", "farm", "field", "turbine", "depot", "terminal", "port", "zone", "district", "territory"},
}
_KINDS = {
    *{"category", "product", "brand", "channel", "model", "type", "kind", "class", "family", "item", "unit", "team"},
    *{"cut", "grade", "variety", "species", "customer", "client", "supplier", "vendor", "carrier", "make"},
}
_ENTITY_PARTS = (
    *(
        "店",
        "店舗",
        "支社",
        "拠点",
        "工場",
        "地域",
        "地区",
        "都道府県",
        "エリア",
        "装置",
        "設備",
        "センサ",
        "部門",
        "倉庫",
    ),
    *("ライン", "事業所", "市区町村", "路線", "駅", "空港", "国"),
)
_KIND_PARTS = ("カテゴリ", "商品", "製品", "品目", "種別", "区分", "種類", "機種", "ブランド", "業態", "分類")

_TIMES = {"date", "time", "timestamp", "datetime", "day", "ts", "at", "when", "period"}
_TIME_PARTS = ("日付", "日時", "時刻", "年月日", "日")
_CALENDAR = {"year", "month", "day", "hour", "minute", "second", "week", "weekday", "dayofweek", "dow", "quarter"}
_CALENDAR_STARTS = {"year", "yr", "month", "mo", "weekday", "quarter", "hour"}
_CALENDAR_ENDS = ("年", "月", "曜日", "週", "時間帯", "年度", "四半期")
_PLACES = {"lat", "latitude", "lon", "lng", "longitude", "zip", "postcode", "zipcode", "phone", "seed", "fold"}


def words(name: str) -> list[str]:
    """Return the words of a name in small letters: `StoreID2` is store, id, 2."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.casefold() for word in re.findall(r"[A-Za-z]+|\d+|[^\W\dA-Za-z_]+", apart)]


def _has(name: str, known: Collection[str], parts: Collection[str] = ()) -> bool:
    return bool(set(known) & set(words(name))) or any(part in name for part in parts)


_SUFFIX = re.compile(r"(名|コード|番号|区分コード|ID|Id|id|NO|No|no)$")


def _head(name: str) -> str:
    """Return the word that says what a name is of: `store` of `main_store_id`, `店舗` of `店舗コード`."""
    left = [word for word in words(name) if word not in _KEYS | _NUMBERS | {"name"} and not word.isdigit()]
    last = left[-1] if left else ""
    return _SUFFIX.sub("", last) if not last.isascii() else last.removesuffix("id") if _owns_id(last) else last


def _owns_id(word: str) -> bool:
    """Tell whether a word is one and `id` written together: `storeid`, but not `paid`."""
    return word.endswith("id") and word[:-2] in _OWNERS | _ENTITIES | _KINDS


def role_of(key: str) -> str | None:
    """Return what a file is for by the words of its key, the file's name before its folders; None: they do not say."""
    for part in reversed(key.split("/")):
        is_train, is_predict = _has(part, TRAIN_WORDS, TRAIN_PARTS), _has(part, PREDICT_WORDS, PREDICT_PARTS)
        if is_train and is_predict:
            is_predict = _has(part, PREDICT_WORDS - _WEAK, PREDICT_PARTS)
        if is_train != is_predict:
            return "train" if is_train else "predict"
    return None


def like_label(name: str) -> float:
    """Return how much a name is like that of what is to be predicted, from -1 to 1."""
    if name.casefold() == "y" or _has(name, _LABELS, _LABEL_PARTS):
        return 1.0
    if like_id(name) >= 1 or like_calendar(name) or _has(name, _PLACES):
        return -1.0
    return 0.5 if _has(name, _MEASURES, _MEASURE_PARTS) else 0.0


def like_id(name: str) -> float:
    """Return how much a name is like that of an id: 2 it is `id` itself, 1 it ends so, 0.5 a number or code."""
    parts = words(name)
    if len(parts) == 1 and parts[0] in _KEYS:
        return 2.0
    if parts and (parts[-1] in _KEYS or _owns_id(parts[-1])):
        return 1.0
    if any(part in name for part in _KEY_PARTS):
        return 1.0
    return 0.5 if _has(name, _NUMBERS, _NUMBER_PARTS) else 0.0


def like_segment(name: str) -> float:
    """Return how much a name is like that of what has a model of its own: 1 a place or machine, 0.6 a kind of thing."""
    head = _head(name)
    if like_calendar(name):
        return -0.5
    if head in _ENTITIES or head.endswith(_ENTITY_PARTS):
        return 1.0
    return 0.6 if head in _KINDS or head.endswith(_KIND_PARTS) else 0.0


def is_code(name: str) -> bool:
    """Tell whether numbers of a column with this name are the names of things: `store`, `machine_no`, `店舗コード`."""
    return like_segment(name) >= 1 or (like_segment(name) > 0 and like_id(name) > 0)


def like_time(name: str) -> float:
    """Return how much a name is like that of when something was: 1 or 0."""
    return 1.0 if _has(name, _TIMES, _TIME_PARTS) else 0.0


def like_calendar(name: str) -> bool:
    """Tell whether a name is that of a part of a date, such as month, day_of_week or 曜日."""
    parts = words(name)
    return bool(parts) and (parts[-1] in _CALENDAR or parts[0] in _CALENDAR_STARTS or name.endswith(_CALENDAR_ENDS))
