"""Names that both sides agree on: slugs, data versions, manifests, parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import contract
from steps.contract import DataFile, data_version, manifests, slugs

SLUG = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*")
GROUP = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
FILES = (DataFile("b/train.csv", "e2", 2), DataFile("a/train.csv", "e1", 1), DataFile("日本.csv", "e3", 3))


def slug(name: str, *others: str, pipeline: str = "p") -> str:
    return slugs([name, *others], pipeline)[name]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, 東京, é, \\n, 'q'", "plain, 東京, é, \\n, 'q'"),
        ("two\nlines\rback\ttab", r"two\nlines\rback\ttab"),
        ("\x1b[31mred\x07\x00\x7f\x9b", r"\x1b[31mred\x07\x00\x7f\x9b"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\u202eevil\u2066x", r"\u202eevil\u2066x"),
        ("half \ud800", r"half \ud800"),
    ],
)
def test_what_steers_a_terminal_or_breaks_a_line_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert contract.escape_controls(text) == shown


def test_line_breaks_are_kept_where_they_are_our_own() -> None:
    assert contract.escape_controls("a\nb\rc", keep="\n") == "a\nb\\rc"


@given(st.text(alphabet=st.characters()))
def test_an_escaped_text_is_one_line_of_utf8_and_stays_as_it_is(text: str) -> None:
    found = contract.escape_controls(text)

    assert len(found.splitlines()) <= 1
    assert found.encode().decode() == found
    assert contract.escape_controls(found) == found


@pytest.mark.parametrize(
    "key", ["train.csv", "north/train 1.csv", "a..b/..c/train.csv", "東京/[x]=1&2.csv", "-rf", "~/x"]
)
def test_a_plain_key_has_no_problem(key: str) -> None:
    assert contract.key_problem(key) is None


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x.csv", "a/../../x.csv", "a//x.csv", "./x.csv", "a/", "a/.."])
def test_a_key_that_is_no_plain_path_below_the_raw_folder_is_a_problem(key: str) -> None:
    assert "empty part, '.' or '..'" in (contract.key_problem(key) or "")


@pytest.mark.parametrize("key", ["a\nb.csv", "\x1b[2Jb.csv", "\udcff.csv", "b\u202evsc.exe", "\0.csv"])
def test_a_key_with_a_control_character_is_a_problem(key: str) -> None:
    assert "control characters" in (contract.key_problem(key) or "")


HOSTILE_NAMES = [
    "../../etc",
    "..",
    "/",
    "a/../b",
    "%2e%2e%2f",
    "a\0b",
    "a\nb",
    "$(rm)",
    "; rm -rf",
    "CON",
    "~",
    "-x",
    ".",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_the_slug_of_a_hostile_name_is_one_plain_part_of_a_path(name: str) -> None:
    assert SLUG.fullmatch(slug(name, *HOSTILE_NAMES))


@pytest.mark.parametrize("name", ["EWR", "Very-Good", "007", "a", "A1-b2"])
def test_a_name_that_is_a_slug_already_stays(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Very Good", "Very-Good"), ("C (all)", "C-all"), ("a/b\\c", "a-b-c"), (" x ", "x"), ("1.5", "1-5"), ("[a]", "a")],
)
def test_spaces_brackets_and_slashes_become_hyphens(name: str, plain: str) -> None:
    assert slug(name) == plain


@pytest.mark.parametrize("name", ["日本", "é", "東京 23", "()", "/", " "])
def test_what_leaves_nothing_readable_gets_a_hash(name: str) -> None:
    found = slug(name)

    assert re.fullmatch(r".+-[0-9a-f]{8}", found)
    assert SLUG.fullmatch(found)


def test_the_pooled_model_has_a_readable_slug() -> None:
    assert slug(contract.POOLED_NAME, "EWR") == "pooled"


def test_names_that_give_the_same_slug_all_get_a_hash() -> None:
    found = slugs(["a b", "a.b", "A-B", "c"], "p")

    assert found["c"] == "c"
    assert len({found[name].lower() for name in ("a b", "a.b", "A-B")}) == 3
    assert all(re.search(r"-[0-9a-f]{8}$", found[name]) for name in ("a b", "a.b", "A-B"))


def test_a_name_that_looks_like_another_names_hashed_slug_does_not_take_it() -> None:
    hashed = slug("a b", "a.b")
    found = slugs(["a b", "a.b", hashed], "p")

    assert len(set(found.values())) == 3


@pytest.mark.parametrize("pipeline", ["p", "p" * 14, "p" * 15, "p" * 40])
def test_step_names_and_groups_fit_the_service_with_any_name(pipeline: str) -> None:
    for name in ("x" * 48, "x" * 49, "x" * 500, "日" * 100, "a-" * 40):
        found = slug(name, pipeline=pipeline)

        assert SLUG.fullmatch(found)
        assert len(f"{contract.INFER}{contract.FALLBACK}-{found}") <= 64
        assert GROUP.fullmatch(contract.group_name(pipeline, found))


@given(
    names=st.lists(
        st.text(min_size=1, max_size=60) | st.text("aB -/日", min_size=1, max_size=4), unique=True, max_size=8
    ),
    pipeline=st.from_regex(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,12}", fullmatch=True).filter(lambda name: len(name) <= 40),
)
@settings(max_examples=80, deadline=None)
def test_slugs_are_legal_unique_without_case_and_free_of_order(names: list[str], pipeline: str) -> None:
    found = slugs(names, pipeline)

    assert list(found) == names
    assert len({slug.lower() for slug in found.values()}) == len(names)
    assert all(SLUG.fullmatch(slug) and len(slug) <= contract.SLUG_LIMIT for slug in found.values())
    assert all(len(contract.group_name(pipeline, slug)) <= contract.GROUP_LIMIT for slug in found.values())
    assert slugs(names[::-1], pipeline) == found


def test_a_data_version_does_not_depend_on_the_order_of_the_files() -> None:
    version = data_version(FILES)

    assert re.fullmatch(r"[0-9a-f]{64}", version)
    assert data_version(reversed(FILES)) == version


@pytest.mark.parametrize(
    "changed",
    [
        FILES[:2],
        (*FILES, DataFile("c", "e", 0)),
        (DataFile("b/train.csv", "e2", 3), *FILES[1:]),
        (DataFile("b/train.csv", "e9", 2), *FILES[1:]),
        (DataFile("b/train2.csv", "e2", 2), *FILES[1:]),
    ],
)
def test_a_data_version_changes_with_key_etag_size_and_number(changed: tuple[DataFile, ...]) -> None:
    assert data_version(changed) != data_version(FILES)


def test_a_data_version_is_what_it_always_was() -> None:
    """Trigger, CLI and steps of different releases must agree: this value may never change."""
    expected = "dd3eab75c40119817ef867733a2b1f4f19c17588861e7bf32a44ec6f193ec4d0"

    assert data_version([DataFile("train.csv", "abc", 3)]) == expected


def test_manifests_list_the_files_in_order_in_both_forms() -> None:
    found = manifests("s3://b/raw/", FILES)

    assert json.loads(found[contract.FILES_FILE]) == [
        {"prefix": "s3://b/raw/"},
        "a/train.csv",
        "b/train.csv",
        "日本.csv",
    ]
    details = json.loads(found[contract.MANIFEST_FILE])
    assert details["raw"] == "s3://b/raw/"
    assert data_version(DataFile(**file) for file in details["files"]) == data_version(FILES)
    assert manifests("s3://b/raw/", FILES[::-1]) == found


def test_markers_are_told_from_data() -> None:
    assert contract.is_marker("incoming/2024.run")
    assert contract.is_marker(".run")
    assert not contract.is_marker("run.csv")


def test_user_parameters_are_those_with_the_prefix_in_the_order_of_their_names() -> None:
    environment = {"PATH": "x", "PARAMETER_Season": "winter", "PARAMETER_Area": "", "XPARAMETER_No": "1"}

    assert list(contract.user_parameters(environment).items()) == [("Area", ""), ("Season", "winter")]


def test_folders_lie_under_opt_ml_unless_a_root_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(contract.ML_ROOT_VARIABLE, raising=False)
    assert contract.input_dir("raw") == Path(contract.INPUT_ROOT) / "raw"
    assert contract.output_dir("train") == Path(contract.OUTPUT_ROOT) / "train"

    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, "/elsewhere")
    assert contract.input_dir("raw") == Path("/elsewhere/processing/input/raw")


def test_decide_outputs_of_one_step_fit_the_fifty_a_lambda_returns() -> None:
    names = [name for position in range(contract.DECIDE_WIDTH) for name in contract.decide_outputs(position)]

    assert len({*names, contract.OUT_DECISION, contract.OUT_DECISIONS}) <= 50
    assert len(set(names)) == 2 * contract.DECIDE_WIDTH
    assert names[:2] == ["Model00", "Image00"]


def test_json_is_written_in_one_form_and_refuses_what_json_does_not_have() -> None:
    assert contract.to_json({"b": 1, "a": "日"}) == '{\n "a": "日",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="Out of range float"):
        contract.to_json({"a": float("nan")})
