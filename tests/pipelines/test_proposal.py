"""What is guessed of raw files, seen on folders of odd forms, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from raw_folder import propose, shops, without, write_csv

from pipelines import draft, settings
from pipelines.draft import Draft
from pipelines.errors import DataError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    write_csv(folder / "train.csv", shops(200))
    write_csv(folder / "predict.csv", without(shops(20, 1000), "price"))
    return folder


def columns(found: Draft) -> tuple[str | None, ...]:
    chosen = found.proposal
    return chosen.label.column, chosen.id.column, chosen.segment.column, chosen.time.column


def config(found: Draft) -> dict:
    """Return the config's text as the settings read it."""
    text = draft.text(found, "shop", "data/")
    document = yaml.safe_load(text)
    settings.validate(document, "c.yml")
    assert document == draft.document(found, "shop", "data/")
    return document


def test_label_id_and_segment_are_found_with_their_reasons(raw: Path) -> None:
    found = propose(raw)

    assert columns(found) == ("price", "item_id", "store", None)
    assert found.proposal.label.reason == "the only number that the files to predict lack"
    assert found.proposal.id.reason == "different in every row, by its name"
    assert found.proposal.segment.reason == "2 values, all with 30 or more rows to train on"
    assert config(found)["models"] == {"by": "store"}
    assert config(found)["data"] == {"raw": "data/", "label": "price", "id": "item_id"}


def test_a_label_that_is_empty_in_the_files_to_predict_is_found(raw: Path) -> None:
    write_csv(raw / "predict.csv", {**shops(20, 1000), "price": [""] * 20})

    found = propose(raw)

    assert columns(found)[0] == "price"
    assert found.proposal.label.reason == "the only number that the files to predict have empty"


def test_of_several_numbers_that_are_lacking_one_is_the_label_and_the_others_are_dropped(raw: Path) -> None:
    rows = shops(200)
    write_csv(raw / "train.csv", {**without(rows, "price"), "tax": rows["area"], "sales": rows["price"]})

    found = propose(raw)

    assert columns(found)[0] == "sales"
    assert found.proposal.label.reason.startswith("of 2 numbers that the files to predict lack")
    assert found.proposal.drop == {"tax": "the files to predict lack it"}
    assert propose(raw, label="tax").proposal.drop == {"sales": "the files to predict lack it"}


def test_a_close_runner_up_is_told(raw: Path) -> None:
    rows = shops(200)
    write_csv(raw / "train.csv", {**without(rows, "price"), "cost": rows["area"], "revenue": rows["price"]})

    found = propose(raw)

    assert columns(found)[0] == "revenue"
    assert found.proposal.label.others == ("cost",)
    assert ("label", "revenue") in [line[:2] for line in draft.explain(found)]
    assert any("close: cost (--label NAME)" in line[2] for line in draft.explain(found))


def test_a_label_that_all_files_have_is_found_by_its_name(raw: Path) -> None:
    write_csv(raw / "predict.csv", shops(20, 1000))

    found = propose(raw)

    assert columns(found)[0] == "price"
    assert "have values in it too" in found.proposal.label.reason


def test_without_files_to_predict_it_says_so_and_goes_on(raw: Path) -> None:
    (raw / "predict.csv").unlink()

    found = propose(raw)

    assert columns(found)[:3] == ("price", "item_id", "store")
    assert "there are no files to predict yet" in found.proposal.notes[0]


def test_a_single_file_with_both_names_the_rows_without_a_label(raw: Path) -> None:
    (raw / "predict.csv").unlink()
    rows = shops(200)
    write_csv(
        raw / "train.csv", {**rows, "price": ["" if n % 10 == 0 else value for n, value in enumerate(rows["price"])]}
    )

    assert "20 rows have no 'price': if these are to be predicted, add --split" in propose(raw).proposal.notes[0]


def test_ids_of_text_with_zeros_stay_what_they_are(raw: Path) -> None:
    write_csv(raw / "train.csv", {**without(shops(200), "item_id"), "code": [f"{n:06}" for n in range(200)]})
    write_csv(raw / "predict.csv", {**without(shops(20), "price", "item_id"), "code": [f"{n:06}" for n in range(20)]})

    assert columns(propose(raw))[1] == "code"


def test_an_id_that_only_the_files_to_predict_have_is_enough(raw: Path) -> None:
    write_csv(raw / "train.csv", without(shops(200), "item_id"))

    found = propose(raw)

    assert columns(found)[1] == "item_id"
    assert "the training files have none and need none" in found.proposal.id.reason


def test_a_measure_whose_values_differ_by_chance_is_no_id(raw: Path) -> None:
    rows = {**without(shops(200), "item_id"), "area": [n * 37 for n in range(200)]}
    write_csv(raw / "train.csv", rows)
    write_csv(raw / "predict.csv", without({name: values[:20] for name, values in rows.items()}, "price"))

    with pytest.raises(DataError, match="no id: expected a column that is filled and different in every row"):
        propose(raw)


def test_an_id_that_repeats_is_refused_with_how_often(raw: Path) -> None:
    rows = shops(200)
    write_csv(raw / "train.csv", {**rows, "item_id": [*rows["item_id"][:198], 7, ""]})

    with pytest.raises(DataError, match="'item_id' has 1 repeated and 1 empty of 200 values in the files to train"):
        propose(raw)
    with pytest.raises(DataError, match="--id store: 198 repeated of 200 values"):
        propose(raw, id="store")


def test_a_second_id_is_no_feature(raw: Path) -> None:
    write_csv(raw / "train.csv", {"row": range(200), **shops(200)})
    write_csv(raw / "predict.csv", {"row": range(20), **without(shops(20, 1000), "price")})

    found = propose(raw)

    assert columns(found)[1] == "item_id"
    assert found.proposal.drop == {"row": "tells rows apart, as the id does"}


def test_numbers_are_segments_only_where_the_name_says_so(raw: Path) -> None:
    for name, expected in (("machine_no", "machine_no"), ("rooms", None)):
        for file, rows in (("train.csv", shops(200)), ("predict.csv", without(shops(20, 1000), "price"))):
            numbers = [101 + n % 3 for n in range(len(rows["store"]))]
            write_csv(raw / file, {**without(rows, "store"), name: numbers})
        assert columns(propose(raw))[2] == expected


def test_without_segments_there_is_one_model_for_all_rows(raw: Path) -> None:
    write_csv(raw / "train.csv", without(shops(200), "store"))
    write_csv(raw / "predict.csv", without(shops(20, 1000), "price", "store"))

    found = propose(raw)

    assert config(found)["models"] == [{"name": "all", "train": "train*", "predict": "predict*"}]


def test_segments_without_enough_rows_are_none_and_it_says_why(raw: Path) -> None:
    write_csv(raw / "train.csv", shops(200, names=[f"s{n}" for n in range(20)]))

    found = propose(raw)

    assert columns(found)[2] is None
    assert found.proposal.segment.reason == (
        "no column divides the rows well ('store' has 22 values, none with 30 or more rows to train on)"
    )
    assert columns(propose(raw, segment="store"))[2] == "store"


def test_a_constant_is_neither_label_nor_segment(raw: Path) -> None:
    write_csv(raw / "train.csv", {**shops(200), "region": ["all"] * 200, "target": [1] * 200})
    write_csv(raw / "predict.csv", {**without(shops(20, 1000), "price"), "region": ["all"] * 20})

    found = propose(raw)

    assert columns(found)[:3] == ("price", "item_id", "store")
    assert found.proposal.drop == {"target": "the files to predict lack it"}


def test_thousands_of_segments_are_proposed_only_where_the_name_says_so(raw: Path) -> None:
    names = [f"s{n}" for n in range(1500)]
    write_csv(raw / "train.csv", shops(45_000, names=names))
    write_csv(raw / "predict.csv", without(shops(1500, 100_000, names), "price"))

    found = propose(raw)

    assert columns(found)[2] == "store"
    assert found.proposal.segment.reason == "1,500 values, all with 30 or more rows to train on"


def test_rows_to_predict_that_are_later_are_measured_by_time(raw: Path) -> None:
    days = [f"2026-{1 + n // 28 % 12:02}-{1 + n % 28:02}" for n in range(200)]
    write_csv(raw / "train.csv", {**shops(200), "date": days})
    write_csv(raw / "predict.csv", {**without(shops(20, 1000), "price"), "date": ["2026-12-01"] * 20})

    found = propose(raw)

    assert columns(found)[3] == "date"
    assert config(found)["data"]["holdout"] == {"method": "time"}
    write_csv(raw / "predict.csv", {**without(shops(20, 1000), "price"), "date": ["2026-02-01"] * 20})
    assert "holdout" not in config(propose(raw))["data"]


def test_dates_in_another_form_are_told(raw: Path) -> None:
    write_csv(raw / "train.csv", {**shops(200), "day": [f"{1 + n % 28}.01.2026" for n in range(200)]})
    write_csv(raw / "predict.csv", {**without(shops(20, 1000), "price"), "day": ["01.02.2026"] * 20})

    found = propose(raw)

    assert columns(found)[3] is None
    assert "'day' holds dates, but not as 2026-01-31" in found.proposal.time.reason
    with pytest.raises(DataError, match="--time day: holds dates in another form; expected ISO times"):
        propose(raw, time="day")


def test_half_numbers_become_categories(raw: Path) -> None:
    write_csv(raw / "train.csv", {**shops(200), "size": [n % 9 or "XL" for n in range(200)]})
    write_csv(raw / "predict.csv", {**without(shops(20, 1000), "price"), "size": ["3"] * 20})

    found = propose(raw)

    assert found.proposal.categories == {"size": "23 of 200 values are no numbers"}


def test_a_number_that_is_text_in_the_files_to_predict_becomes_a_category(raw: Path) -> None:
    write_csv(raw / "train.csv", {**shops(200), "size": [n % 9 for n in range(200)]})
    write_csv(raw / "predict.csv", {**without(shops(20, 1000), "price"), "size": ["n/a"] * 20})

    assert propose(raw).proposal.categories == {"size": "number in the training files, text in those to predict"}


def test_files_without_a_label_of_numbers_say_what_they_lack(raw: Path) -> None:
    rows = shops(200)
    write_csv(raw / "train.csv", {**rows, "price": [f"{value} EUR" for value in rows["price"]]})

    with pytest.raises(DataError, match=r"what the files to predict lack are no numbers \('price'\)"):
        propose(raw)


def test_wrong_columns_are_refused_together_with_the_nearest_names(raw: Path) -> None:
    with pytest.raises(DataError) as caught:
        propose(raw, label="prise", id="item", segment="shop", time="when")

    assert len(caught.value.problems) == 4
    assert "--label prise: no such column in the training files; did you mean 'price'?" in caught.value.problems
    assert "--segment shop: no such column in the training files; there are item_id, store, area, price" in str(
        caught.value
    )


def test_a_label_that_is_no_number_is_refused(raw: Path) -> None:
    with pytest.raises(DataError, match="--label store: 200 of 200 values are no numbers"):
        propose(raw, label="store")


def test_files_of_one_role_with_other_columns_are_refused(raw: Path) -> None:
    write_csv(raw / "train-2.csv", without(shops(20), "area"))

    with pytest.raises(DataError, match=r"is to train like train-2\.csv, but has 'area' besides"):
        propose(raw)


def test_names_that_need_quotes_and_characters_of_any_kind_are_read_back(raw: Path) -> None:
    odd = {"price": '売上: # "1"', "item_id": "on", "store": "店舗'; x"}
    for file, rows in (("train.csv", shops(200)), ("predict.csv", without(shops(20, 1000), "price"))):
        write_csv(raw / file, {odd.get(name, name): values for name, values in rows.items()})

    found = propose(raw)

    assert config(found)["data"]["label"] == odd["price"]
    assert config(found)["models"] == {"by": odd["store"]}


def test_files_that_pair_by_name_get_a_model_each(tmp_path: Path) -> None:
    for topic in ("bikes", "cars"):
        write_csv(tmp_path / f"train-{topic}.csv", without(shops(50), "store"))
        write_csv(tmp_path / f"predict-{topic}.csv", without(shops(5, 100), "store", "price"))

    with pytest.raises(DataError, match="'item_id' has 50 repeated"):
        propose(tmp_path)
    write_csv(tmp_path / "train-cars.csv", without(shops(50, 50), "store"))
    write_csv(tmp_path / "predict-cars.csv", without(shops(5, 200), "store", "price"))
    assert config(propose(tmp_path))["models"] == [
        {"name": topic, "train": f"train-{topic}.csv", "predict": f"predict-{topic}.csv"} for topic in ("bikes", "cars")
    ]


@pytest.mark.parametrize(
    ("places", "name"), [(("My shops_2",), "My-shops-2"), (("店舗", "data"), "data"), (("店",), "tabular")]
)
def test_a_pipeline_is_named_after_its_folder(places: tuple[str, ...], name: str) -> None:
    assert draft.name_pipeline(*places).casefold() == name.casefold()
