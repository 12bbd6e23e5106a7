"""Which files are to train on and which to predict, and the globs that name them."""

from __future__ import annotations

import pytest

from pipelines.file_roles import assign, globs, pairs
from pipelines.survey import Column, Facts, File


def file(key: str, *names: str, empty: tuple[str, ...] = (), rows: int = 50) -> File:
    columns = (
        Column(name, rows, 0 if name in empty else rows, numbers=0 if name in empty else rows, distinct=40, spread=40)
        for name in names
    )
    return File(key, rows, tuple(columns))


def keys(*files: File, label: str | None = None) -> tuple[tuple[str, ...], ...]:
    found = assign(Facts(files), label)
    return found.keys("train"), found.keys("predict"), found.keys("neither")


def test_names_decide() -> None:
    found = keys(file("train.csv", "a", "y"), file("test.csv", "a"), file("sample_submission.csv", "id", "y"))

    assert found == (("train.csv",), ("test.csv",), ("sample_submission.csv",))


def test_folders_and_japanese_names_decide_too() -> None:
    assert keys(file("train/a.csv", "y"), file("predict/a.csv", "y"))[:2] == (("train/a.csv",), ("predict/a.csv",))
    assert keys(file("学習データ.csv", "y"), file("予測データ.csv", "y"))[:2] == (
        ("学習データ.csv",),
        ("予測データ.csv",),
    )


def test_a_word_is_not_found_inside_another() -> None:
    assert keys(file("latest.csv", "a", "y"), file("trains.csv", "a"))[0] == ("latest.csv",)


def test_without_names_the_files_that_lack_a_number_are_to_predict() -> None:
    assert keys(file("2025.csv", "a", "b", "y"), file("2026.csv", "a", "b"))[:2] == (("2025.csv",), ("2026.csv",))
    found = keys(file("2025.csv", "a", "b", "y"), file("2026.csv", "a", "b", "y", empty=("y",)))
    assert found[:2] == (("2025.csv",), ("2026.csv",))


def test_files_that_are_alike_are_all_to_train_on() -> None:
    assert keys(file("a.csv", "x", "y"), file("b.csv", "x", "y")) == (("a.csv", "b.csv"), (), ())


def test_a_label_that_somebody_names_decides_where_names_do_not() -> None:
    files = file("a.csv", "x", "y", "z"), file("b.csv", "x", "z", "y", empty=("y",))

    assert keys(*files, label="y")[:2] == (("a.csv",), ("b.csv",))


def test_files_to_predict_alone_are_not_enough_to_go_by() -> None:
    assert keys(file("test.csv", "x", "y"))[0] == ("test.csv",)
    assert keys(file("test.csv", "x"), file("a.csv", "x", "y"))[:2] == (("a.csv",), ("test.csv",))


@pytest.mark.parametrize(
    ("named", "others", "expected"),
    [
        (["train-a.csv", "train-b.csv"], ["predict.csv"], ("train*",)),
        (["train.csv"], ["train.txt", "predict.csv"], ("train*.csv",)),
        (["sales2024.csv", "sales2025.csv"], ["new.csv"], ("sales*",)),
        (["a.csv", "b[1].csv"], ["c.csv"], ("a.csv", "b[[]1].csv")),
        (["to_score.csv"], ["a.csv"], ("to_score*",)),
        (["x/1.csv", "x/2.csv"], ["y/1.csv"], ("x/*",)),
    ],
)
def test_globs_name_the_files_and_no_other(named: list[str], others: list[str], expected: tuple[str, ...]) -> None:
    assert globs(named, [*named, *others], "train") == expected


def test_files_pair_by_what_their_names_say_besides_their_role() -> None:
    files = [file(f"{role}_{topic}.csv", "a") for role in ("train", "predict") for topic in ("自転車", "cars v2")]
    found = pairs(assign(Facts(tuple(files))))

    assert found == {
        "cars v2": (["train_cars v2.csv"], ["predict_cars v2.csv"]),
        "自転車": (["train_自転車.csv"], ["predict_自転車.csv"]),
    }


def test_files_of_which_one_has_no_partner_do_not_pair() -> None:
    assert pairs(assign(Facts((file("train_a.csv", "y"), file("train_b.csv", "y"), file("test_a.csv", "y"))))) == {}
