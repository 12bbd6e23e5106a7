"""Settings: defaults, overlay, and every mistake of a config reported at once with its key path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lambda_trigger.overrides import FILES, MODE
from pipelines import document_problems, models, slices
from pipelines.errors import SettingsError
from pipelines.settings import Segments, Settings, load, validate
from steps import contract

MINIMAL: dict[str, Any] = {"data": {"label": "y", "id": "id"}, "models": {"by": "region"}}
ONE_MODEL = {"name": "A", "where": {"region": "a"}}


def config(**changes: Any) -> dict[str, Any]:
    return document_problems.merge(MINIMAL, changes)


def problems_of(document: Mapping[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        validate(document, "c.yml")
    assert all(problem.startswith("c.yml: ") for problem in caught.value.problems)
    return [problem.removeprefix("c.yml: ") for problem in caught.value.problems]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_label_id_and_segment_column_are_a_whole_config() -> None:
    found = validate(MINIMAL, "c.yml")

    assert found.models == Segments(by="region")
    assert found.data.train == ("train*",)
    assert found.data.predict == ("predict*",)
    assert (found.min_rows, found.rest) == (30, "pooled")
    assert found.gate.mae is None
    assert found.gate.max_baseline_ratio == 1.0
    assert (found.fallback.policy, found.fallback.on_missing_default) == ("all", "fail")
    assert (found.aws.role, found.aws.bucket, found.kms) == (None, None, None)


def test_settings_are_frozen() -> None:
    found = validate(MINIMAL, "c.yml")

    with pytest.raises(ValidationError):
        found.min_rows = 3


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"modles": {}}, "modles: unknown key; did you mean models?"),
        ({"label": "y"}, "label: unknown key; did you mean data.label?"),
        ({"time_limit": 60}, "time_limit: unknown key; did you mean training.time_limit?"),
        ({"data": {"predicts": "p*"}}, "data.predicts: unknown key; did you mean data.predict?"),
        ({"data": {"instances": {}}}, "data.instances: unknown key; did you mean instances?"),
        (
            {"instances": {"train": {"typ": "x"}}},
            "instances.train.typ: unknown key; did you mean instances.train.type?",
        ),
        (
            {"models": {"overrides": {"A": {"gate": {"mea": 3}}}}},
            "models.overrides.A.gate.mea: unknown key; did you mean models.overrides.A.gate.mae?",
        ),
        ({"output": {"qqqq": 1}}, "output.qqqq: unknown key; legal here: csv"),
    ],
)
def test_an_unknown_key_is_reported_with_the_nearest_legal_key(changes: dict[str, Any], problem: str) -> None:
    assert problem in problems_of(config(**changes))


def test_an_unknown_key_in_a_list_of_models_names_its_place() -> None:
    document = {**MINIMAL, "models": [{**ONE_MODEL, "predicts": "p*"}]}

    assert problems_of(document) == ["models[0].predicts: unknown key; did you mean models[0].predict?"]


@pytest.mark.parametrize("missing", ["label", "id"])
def test_label_and_id_have_no_default(missing: str) -> None:
    data = {key: value for key, value in MINIMAL["data"].items() if key != missing}

    assert problems_of({**MINIMAL, "data": data}) == [f"data.{missing}: missing; this setting has no default"]


def test_data_and_models_have_no_default() -> None:
    assert problems_of({}) == [
        "data: missing; this setting has no default",
        "models: missing; this setting has no default",
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data": None}, "data: expected a mapping of settings"),
        ({"data": [1]}, "data: expected a mapping of settings"),
        ({"gate": 3}, "gate: expected a mapping of settings"),
        ({"data": {"drop": None}}, "data.drop: expected a list"),
        ({"data": {"label": 3}}, "data.label: expected text, found int; put it in quotes"),
        ({"data": {"label": None}}, "data.label: expected text"),
        ({"data": {"label": ""}}, "data.label: is empty; give a value"),
        (
            {"min_rows": "30"},
            "min_rows: expected a number, found str; leave out quotes, and write an exponent as in 1.0e+2",
        ),
        ({"min_rows": True}, "min_rows: expected a number, found bool"),
        ({"min_rows": 0}, "min_rows: expected greater than or equal to 1"),
        ({"output": {"csv": "yes"}}, "output.csv: expected true or false"),
        ({"tags": {"team": 7}}, "tags.team: expected text, found int; put it in quotes"),
        ({"drift": {"unseen": {"warn": 2}}}, "drift.unseen.warn: expected less than or equal to 1"),
        ({"drift": {"psi": {"fail": -1}}}, "drift.psi.fail: expected greater than or equal to 0"),
        ({"drift": {"default": "skip"}}, "drift.default: expected one of 'warn' or 'fail'"),
        ({"rest": "drop"}, "rest: expected one of 'pooled', 'skip' or 'fail'"),
        (
            {"timezone": "Asia/Tokio"},
            "timezone: expected an IANA time zone such as 'UTC' or 'Asia/Tokyo'; did you mean 'Asia/Tokyo'?",
        ),
        ({"language": "jp"}, "language: expected 'en' (English) or 'ja' (Japanese); did you mean 'ja'?"),
        ({"language": "日本語"}, "language: expected 'en' (English) or 'ja' (Japanese); did you mean 'ja'?"),
        ({"language": "English"}, "language: expected 'en' (English) or 'ja' (Japanese); did you mean 'en'?"),
        ({"language": "fr"}, "language: expected 'en' (English) or 'ja' (Japanese)"),
        ({"instances": {"train": {"type": "m5.large"}}}, "instances.train.type: does not have the form"),
        ({"network": {"subnets": ["subnet-1"]}}, "network: has only one of subnets and security_groups"),
        ({"parameters": {"Season": None}}, "parameters.Season: expected text, a number, true or false"),
        ({"parameters": {"Season": "win\nter"}}, "parameter 'Season': holds a line break or another control"),
        ({"parameters": {"Mae Threshold": 1}}, "parameter 'Mae Threshold': expected a letter"),
        ({"parameters": {"MaeThreshold": 1}}, "parameter 'MaeThreshold' is one of the pipeline's own"),
        (
            {"parameters": {MODE: "x"}},
            "parameter 'mode' could not be set in a .run marker, which means its own key by it",
        ),
        ({"parameters": {FILES: "x"}}, "parameter 'files' could not be set in a .run marker, which means its own key"),
    ],
)
def test_a_value_of_the_wrong_type_or_form_is_reported_in_plain_words(changes: dict[str, Any], problem: str) -> None:
    found = problems_of(config(**changes))

    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize("key", ["max_baseline_ratio", "min_holdout_rows"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "1", True])
def test_a_rule_of_the_gate_is_a_finite_number_above_0(key: str, value: object) -> None:
    assert any(f"gate.{key}" in problem for problem in problems_of(config(gate={key: value})))


@pytest.mark.parametrize("mae", [0, -1, 0.0, 1e12, 1e13, float("inf"), float("nan"), "20", True])
def test_a_threshold_that_no_mae_could_meet_or_miss_is_refused(mae: object) -> None:
    (problem,) = problems_of(config(gate={"mae": mae}))
    (own,) = problems_of(config(models={"overrides": {"A": {"gate": {"mae": mae}}}}))

    assert problem.startswith("gate.mae: ")
    assert own.startswith("models.overrides.A.gate.mae: ")


@pytest.mark.parametrize("glob", ["", " ", "/data/train*", "../train*", "a/../b", "train[0-9"])
def test_a_glob_that_cannot_match_inside_the_raw_folder_is_refused(glob: str) -> None:
    (problem,) = problems_of(config(data={"train": ["ok*", glob]}))

    assert problem.startswith("data.train[1]: ")


def test_an_empty_list_of_globs_is_refused() -> None:
    assert problems_of(config(data={"predict": []})) == ["data.predict: is empty; give a value"]


@pytest.mark.parametrize("where", ["region == 'a'", ["a"], {"region": None}, {"region": []}, {"region": True}])
def test_a_filter_that_is_no_mapping_to_values_is_refused(where: object) -> None:
    (problem,) = problems_of({**MINIMAL, "models": [{"name": "A", "where": where}]})

    assert problem.startswith("models[0].where")


def test_numbers_in_a_filter_are_taken_as_their_text() -> None:
    found = validate({**MINIMAL, "models": [{"name": "A", "where": {"year": [2024, "x"], "n": 1.5}}]}, "c.yml")

    assert isinstance(found.models, tuple)
    assert found.models[0].where == {"year": ("2024", "x"), "n": ("1.5",)}


def test_every_mistake_in_a_list_of_models_is_reported_together() -> None:
    found = problems_of(
        {
            **MINIMAL,
            "models": [
                {"name": "A", "where": {"r": "a"}},
                {"name": "A", "where": {"r": "b"}},
                {"name": "B", "where": {"r": "b"}},
                {"name": "C"},
                {"name": "D", "train": "d*"},
                {"name": contract.POOLED_NAME, "where": {"r": "p"}},
                {"name": " ", "where": {"r": "c"}},
                {"name": "line\nbreak", "where": {"r": "e"}},
                {"where": {"r": "f"}},
                None,
            ],
        }
    )

    assert found == [
        "models: the name 'A' stands 2 times; each model needs a name of its own",
        "models[5].name: '(pooled)' is the name of the pooled model; choose another",
        "models[6].name: expected readable text without control characters",
        "models[7].name: expected readable text without control characters",
        "models[3]: has no rows; give where: {column: value}, or train: and predict: globs",
        "models[4]: has only one of train: and predict:; give both globs or neither",
        "models[2]: selects the same rows as models[1]; a row may belong to one model only",
        "models[8].name: missing; this setting has no default",
        "models[9]: expected a mapping of settings",
    ]


@pytest.mark.parametrize("form", [None, "region", 3, {}, {"column": "region"}])
def test_models_in_neither_of_the_two_forms_are_refused_with_both_forms(form: object) -> None:
    assert problems_of({**MINIMAL, "models": form}) == [
        "models: expected {by: COLUMN} or a list of {name, where} or {name, train, predict}"
    ]


def test_an_empty_list_of_models_is_refused() -> None:
    assert problems_of({**MINIMAL, "models": []}) == [
        "models: the list is empty; expected at least one model, or {by: COLUMN}"
    ]


def test_problems_of_all_parts_are_reported_together() -> None:
    found = problems_of({"data": {"id": 1}, "models": {"by": "r", "bye": 1}, "min_rows": "x", "tags": {3: "x"}})

    assert sorted(found) == [
        "data.id: expected text, found int; put it in quotes",
        "data.label: missing; this setting has no default",
        "min_rows: expected a number, found str",
        "models.bye: unknown key; did you mean models.by?",
        "tags.3: expected text as key; put it in quotes",
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data": {"holdout": {"method": "time"}}}, "data.time: missing; holdout method 'time'"),
        ({"data": {"holdout": {"method": "group"}}}, "data.holdout.group: missing; holdout method 'group'"),
        ({"data": {"id": "y"}}, "data.id: is the same column as data.label"),
        ({"data": {"drop": ["y"]}}, "data.drop: drops 'y', which is the label"),
        ({"data": {"drop": "id"}}, "data.drop: drops 'id', which is the id"),
        ({"data": {"id": "prediction"}}, "data.id: 'prediction' is a column of the predictions"),
        (
            {"instances": {"train": {"max_runtime": 3839}}},
            "instances.train.max_runtime: 3839 s is shorter than two trainings up to their guards (3840 s)",
        ),
        ({"training": {"time_limit": 129_561}}, "training.time_limit: two trainings up to their guards take 777606 s"),
        ({"retention_days": 7}, "retention_days: shorter than cache_days"),
        (
            {"training": {"infer_limit": 0.1, "min_rows_per_second": 10}},
            "training.min_rows_per_second: infer_limit is given too, the same thing in seconds per row",
        ),
        (
            {
                "training": {"infer_limit": 0.1},
                "models": {"by": "r", "overrides": {"A": {"training": {"min_rows_per_second": 10}}}},
            },
            "models.overrides.A.training.min_rows_per_second: infer_limit is given too",
        ),
        ({"drift": {"psi": {"warn": 0.5, "fail": 0.2}}}, "drift.psi.warn: 0.5 is above drift.psi.fail, 0.2"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], problem: str) -> None:
    (found,) = problems_of(config(**changes))

    assert found.startswith(problem)


@pytest.mark.parametrize("kind", ["prepare", "train", "postprocess"])
def test_several_instances_of_a_step_that_cannot_share_its_work_are_refused(kind: str) -> None:
    (found,) = problems_of(config(instances={kind: {"count": 2}}))

    assert found == f"instances.{kind}.count: unknown key; did you mean instances.infer.count?"


def test_inference_has_one_instance_unless_the_config_says_otherwise() -> None:
    """The service takes at most 100."""
    assert validate(config(), "c.yml").instances.infer.count == 1
    assert validate(config(instances={"infer": {"count": 100}}), "c.yml").instances.infer.count == 100
    (found,) = problems_of(config(instances={"infer": {"count": 101}}))
    assert found == "instances.infer.count: expected less than or equal to 100"


def test_a_training_job_may_run_as_long_as_its_guards_unless_the_config_says_otherwise() -> None:
    default = validate(MINIMAL, "c.yml")
    long = validate(config(training={"time_limit": 7200}), "c.yml")
    said = validate(config(instances={"train": {"max_runtime": 5000}}), "c.yml")

    assert default.max_runtime_of(default.instances.train) == 14_400
    assert long.max_runtime_of(long.instances.train) == 4 * (7200 * 1.5 + 60)
    assert long.max_runtime_of(long.instances.infer) == 14_400
    assert said.max_runtime_of(said.instances.train) == 5000


def test_a_model_may_override_gate_and_training() -> None:
    override = {"gate": {"mae": 5}, "training": {"presets": "best_quality"}}
    by_column = validate(config(models={"overrides": {"A": override}}), "c.yml")
    listed = validate({**MINIMAL, "models": [{**ONE_MODEL, **override}]}, "c.yml")

    for found in (by_column, listed):
        assert found.threshold_of("A") == 5
        assert found.threshold_of("B") is None
        own = found.override_of("A")
        assert own is not None
        assert own.training.presets == "best_quality"


def test_an_overlay_goes_over_the_config_key_by_key(tmp_path: Path) -> None:
    path = written(tmp_path / "c.yml", "data: {label: y, id: id, drop: [a, b]}\nmodels: {by: r}\ngate: {mae: 3}\n")
    written(tmp_path / "c.prod.yml", "data: {drop: [c]}\naws: {bucket: prod-bucket}\n")

    found = load(path, "prod")

    assert (found.data.label, found.data.drop, found.gate.mae) == ("y", ("c",), 3)
    assert found.aws.bucket == "prod-bucket"
    assert load(path).aws.bucket is None


def test_a_missing_file_is_named_with_the_nearest_there_is(tmp_path: Path) -> None:
    written(tmp_path / "pipeline-config.yml", "x: 1")

    with pytest.raises(SettingsError, match=r"no such config file; did you mean .*/pipeline-config\.yml\?"):
        load(tmp_path / "pipeline-confg.yml")
    with pytest.raises(SettingsError, match=r"pipeline-config\.prod\.yml: no such config file"):
        load(tmp_path / "pipeline-config.yml", "prod")
    with pytest.raises(SettingsError, match="give one with --config"):
        load(tmp_path / "nowhere" / "c.yml")


def test_a_folder_or_a_file_that_is_not_utf8_is_no_config(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes("data: {label: é}".encode("latin-1"))

    for path in (tmp_path, tmp_path / "latin.yml"):
        with pytest.raises(SettingsError, match=r"cannot be read .* expected a UTF-8 YAML file"):
            load(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1, 2", "line 1, column 9: not valid YAML"),
        ("data: {label: y}\ndata: {id: id}\n", "line 2, column 1: not valid YAML: key 'data' stands twice"),
        ("data:\n  label: y\n  label: z\n", "line 3, column 3: not valid YAML: key 'label' stands twice"),
        ("a: \x07", "not valid YAML"),
        ("a: 2024-13-45", "not valid YAML: month must be in 1..12"),
        ("? [a]\n: 1", "not valid YAML"),
        ("- a\n- b\n", "expected a mapping of settings"),
        ("", "expected a mapping of settings"),
        ("a: !!python/object:os.system {}", "not valid YAML"),
        ("[" * 1500, "not valid YAML"),
    ],
)
def test_what_is_not_a_yaml_mapping_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    path = written(tmp_path / "c.yml", text)

    with pytest.raises(SettingsError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_anchors_and_merge_keys_of_yaml_work(tmp_path: Path) -> None:
    text = (
        "data: {label: y, id: id}\nmodels: {by: r}\n"
        "instances: {train: &big {type: ml.m5.4xlarge, volume_gb: 50}, infer: {<<: *big, volume_gb: 20}}\n"
    )
    found = load(written(tmp_path / "c.yml", text))

    assert (found.instances.infer.type, found.instances.infer.volume_gb) == ("ml.m5.4xlarge", 20)


def test_a_mapping_that_holds_itself_is_refused(tmp_path: Path) -> None:
    text = "data: {label: y, id: id}\nmodels: {by: r}\ntraining: {hyperparameters: &a {GBM: *a}}\n"

    with pytest.raises(SettingsError, match=r"training\.hyperparameters\.GBM: refers to itself"):
        load(written(tmp_path / "c.yml", text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2024-01-01", "expected text or a number, found date; put it in quotes"),
        (".nan", "expected a finite number"),
        ("9" * 30, "the number is larger than"),
        ('"\\ud800"', "holds half a character"),
        ("{1: x}", "1: expected text as key; put it in quotes"),
        ("!!binary aGk=", "found bytes"),
    ],
)
def test_hyperparameters_hold_only_what_json_can_carry(tmp_path: Path, text: str, problem: str) -> None:
    document = f"data: {{label: y, id: id}}\nmodels: {{by: r}}\ntraining: {{hyperparameters: {{GBM: {text}}}}}\n"

    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path / "c.yml", document))
    assert "training.hyperparameters.GBM" in str(caught.value)
    assert problem in str(caught.value)


PATHS = sorted(set(document_problems.legal_keys(Settings)))
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.integers()
            | st.none()
            | st.sampled_from(["by", "name", "where", "data", "models"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def planted(path: str, junk: Any) -> dict[str, Any]:
    """Return a valid document with junk put at one legal key path."""
    document: Any = {**MINIMAL, "data": {**MINIMAL["data"]}, "models": {"by": "region"}}
    if path.startswith("models[*]"):
        document["models"] = [dict(ONE_MODEL)]
    *parents, last = path.replace("[*]", ".0").replace("*", "A").split(".")
    here = document
    for part in parents:
        here = here[0] if part == "0" else here.setdefault(part, {})
    here[last] = junk
    return dict(document)


def check(document: Mapping[str, Any]) -> None:
    """Validate; what is accepted must reach the steps' settings and the lock without an error of another kind."""
    try:
        found = validate(document, "c.yml")
        segments = (models.Segment("A", found.min_rows, 1), models.Segment("B", 0, 1))
        chosen = models.choose_models(found, models.Census(segments, models.Segment("", 1, 1)))
    except SettingsError:
        return
    for part in slices.slices(found, chosen, "bucket").values():
        contract.to_json(part).encode()


@given(junk=st.dictionaries(st.sampled_from(PATHS) | st.text(max_size=5) | st.integers(), JUNK, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_document_is_either_settings_or_a_settings_error(junk: dict[Any, Any]) -> None:
    check({**MINIMAL, **junk})
    check(junk)


@given(path=st.sampled_from(PATHS), junk=JUNK)
@settings(max_examples=100, deadline=None)
def test_junk_under_any_key_is_either_accepted_or_a_settings_error(path: str, junk: Any) -> None:
    check(planted(path, junk))


@given(text=st.text(alphabet=st.sampled_from(list("ab:{}[]-&*!|>'\"#%@<? \n\t\x00é日1.")), max_size=20))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_either_a_mapping_or_a_settings_error(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "c.yml", text)
    try:
        found = document_problems.read_yaml(path)
    except SettingsError:
        return
    assert isinstance(found, dict)


def test_a_fail_limit_of_drift_leaves_the_warn_limit_as_it_is_and_null_switches_one_off() -> None:
    drift = validate(config(drift={"psi": {"fail": 0.5}, "nulls": {"warn": None}}), "c.yml").drift

    assert (drift.psi.warn, drift.psi.fail) == (0.25, 0.5)
    assert validate(config(drift={"psi": {"fail": 0.1}}), "c.yml").drift.psi.fail == 0.1
    assert (drift.nulls.warn, drift.nulls.fail, drift.unseen.warn) == (None, None, 0.01)
