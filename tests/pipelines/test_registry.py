from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import model_archives
import pytest

from lambda_trigger.decide import find_default
from lambda_trigger.folders import local_ports
from lambda_trigger.ports import ModelGroup, NewPackage, Ports, Status
from pipelines import registry
from pipelines.local.workspace import Workspace
from pipelines.versions import read_installed

BY_SEGMENT = "data: {label: delay, id: id}\nmodels: {by: origin}\npipeline: {name: flights}\n"
LISTED = (
    "data: {label: delay, id: id}\npipeline: {name: flights}\n"
    "models: [{name: EWR, where: {origin: EWR}}, {name: C (all), where: {origin: C}}]\n"
)


class Shop:
    """A folder with a config and a workspace, and the CLI run in it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self.workspace = root, capsys, root / "ws"
        self.configure(BY_SEGMENT)

    def configure(self, text: str) -> None:
        (self.root / "config.yml").write_text(text, encoding="utf-8")

    @property
    def ports(self) -> Ports:
        return local_ports(self.workspace, Workspace(self.workspace, {}).path, io.StringIO())

    def cli(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        options = ["--local", "--config", str(self.root / "config.yml"), "--workspace", str(self.workspace)]
        code = registry.main([*options, *arguments])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    def version(self, slug: str, status: Status = "PendingManualApproval", **metadata: str) -> int:
        """Register a version as a run would; return its number."""
        group = ModelGroup(f"flights-{slug}", "flights", metadata.get("model", slug))
        self.ports.registry.ensure_group(group)
        number = len(list(self.ports.registry.packages(group.name)))
        values = {"sha256": f"{slug}{number}", "mae": "12.5", "execution": "run-1", **metadata}
        new = NewPackage(group.name, status, "s3://local/m", "image", f"token {slug} {number}", values)
        return self.ports.registry.register(new).version

    def status(self, slug: str) -> dict[int, str]:
        return {found.version: found.status for found in self.ports.registry.packages(f"flights-{slug}")}

    def artifact(self, name: str = "model.tar.gz", **changes: Any) -> Path:
        path = self.root / name
        path.write_bytes(model_archives.packed(text=model_archives.metadata(**changes)))
        return path


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


def test_an_empty_registry_is_said_to_be_empty(shop: Shop) -> None:
    assert shop.cli("list") == (0, "no model of pipeline 'flights' is registered yet\n", "")


def test_the_list_shows_every_version_and_models_without_any(shop: Shop) -> None:
    shop.configure(LISTED)
    shop.version("EWR", autogluon_version="1.6.3", python_version="3.2.1")
    shop.version("EWR", "Approved")

    code, out, _ = shop.cli("list")

    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == ["MODEL", "VERSION", "STATUS", "MAE", "AUTOGLUON", "LOADS", "HERE", "CREATED", "EXECUTION"]
    assert lines[1] == ["C", "(all)", "-", "-", "-", "-", "-", "-", "-"]
    assert lines[2][:4] == ["EWR", "2", "Approved", "12.5"]
    assert [lines[3][n] for n in (0, 1, 2, 4, 5, -1)] == ["EWR", "1", "PendingManualApproval", "1.6.3", "no", "run-1"]


def test_the_list_as_json_has_one_row_per_version(shop: Shop) -> None:
    shop.version("C-all-1a2b3c4d", model="C (all)")

    code, out, _ = shop.cli("list", "--json")

    (row,) = json.loads(out)
    assert code == 0
    assert (row["model"], row["slug"], row["version"], row["mae"]) == ("C (all)", "C-all-1a2b3c4d", 1, 12.5)


def test_the_list_tells_what_loads_here(shop: Shop) -> None:
    here = read_installed()
    assert here is not None
    same = {"autogluon_version": here.autogluon, "python_version": here.python}
    shop.version("A", **same)
    shop.version("B", **{**same, "autogluon_version": "0.1"})
    shop.version("C", **{**same, "python_version": "2.7.18"})
    shop.version("D", autogluon_version=here.autogluon)

    rows = json.loads(shop.cli("list", "--json")[1])

    assert {row["model"]: row["loads_here"] for row in rows} == {"A": True, "B": False, "C": False, "D": None}
    assert rows[2]["python_version"] == "2.7.18"


def test_another_pipelines_models_are_not_listed(shop: Shop) -> None:
    shop.ports.registry.ensure_group(ModelGroup("trains-EWR", "trains", "EWR"))

    assert "EWR" not in shop.cli("list")[1]


def test_approve_takes_the_newest_version_unless_one_is_named(shop: Shop) -> None:
    for _ in range(3):
        shop.version("EWR")

    assert shop.cli("approve", "EWR")[:2] == (
        0,
        "EWR: version 3 is approved\nit serves where the gate turns a fresh model down\n",
    )
    assert shop.status("EWR")[3] == "Approved"


def test_approving_an_older_version_says_that_a_newer_one_still_serves(shop: Shop) -> None:
    shop.version("EWR")
    shop.version("EWR", "Approved")

    code, out, _ = shop.cli("approve", "EWR", "1")

    assert code == 0
    assert "version 2 is approved too and newer, so it serves" in out
    assert "reject EWR 2" in out


def test_a_version_without_a_recorded_digest_is_said_to_serve_nothing(shop: Shop) -> None:
    shop.version("EWR", sha256="")

    code, out, _ = shop.cli("approve", "EWR")

    assert code == 0
    assert "it has no sha256 recorded, so it serves nothing; register its artifact instead" in out


def test_a_version_approved_by_hand_counts_even_for_the_run_that_made_it(shop: Shop) -> None:
    shop.version("EWR", "Approved", auto_approved="true")
    assert find_default(shop.ports.registry, "flights-EWR", "run-1") is None

    shop.cli("approve", "EWR")

    assert find_default(shop.ports.registry, "flights-EWR", "run-1") is not None


@pytest.mark.parametrize("model", ["C (all)", "C-all-1a2b3c4d"])
def test_a_model_is_found_by_its_name_or_its_slug(shop: Shop, model: str) -> None:
    shop.version("C-all-1a2b3c4d", model="C (all)")

    assert shop.cli("approve", model)[0] == 0
    assert shop.status("C-all-1a2b3c4d") == {1: "Approved"}


def test_reject_takes_a_version_out_of_service_and_says_which_serves_now(shop: Shop) -> None:
    shop.version("EWR", "Approved")
    shop.version("EWR", "Approved")

    assert shop.cli("reject", "EWR", "2")[1] == "EWR: version 2 is rejected\nversion 1 serves by default\n"
    assert shop.cli("reject", "EWR", "1")[1] == "EWR: version 1 is rejected\nno approved version is left\n"


def test_an_unknown_model_exits_with_2_and_the_nearest_name(shop: Shop) -> None:
    shop.version("EWR")

    code, out, err = shop.cli("approve", "EWT")

    assert (code, out, err) == (2, "", "no model is called 'EWT'; did you mean 'EWR'?\n")


def test_an_unknown_version_exits_with_2_and_those_there_are(shop: Shop) -> None:
    shop.version("EWR")

    assert shop.cli("reject", "EWR", "7") == (2, "", "EWR: there is no version 7; there are 1\n")


def test_approving_a_model_without_versions_says_how_to_get_one(shop: Shop) -> None:
    shop.configure(LISTED)

    code, _, err = shop.cli("approve", "EWR")

    assert code == 2
    assert "no version is registered" in err
    assert "register MODEL ARTIFACT" in err


def test_an_artifact_of_ones_own_becomes_the_approved_default(shop: Shop) -> None:
    path = shop.artifact()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    code, out, _ = shop.cli("register", "EWR", str(path))

    default = find_default(shop.ports.registry, "flights-EWR", "run-1")
    assert (code, out.splitlines()[0]) == (0, "EWR: version 1 is approved")
    assert default is not None
    assert default.sha256 == sha256
    assert default.artifact_uri.endswith(f"/flights/registry/EWR/{sha256}/model.tar.gz")
    assert Workspace(shop.workspace, {}).path(default.artifact_uri).read_bytes() == path.read_bytes()
    assert {"mae": "9.5", "autogluon_version": "1.6.3", "model": "EWR"}.items() <= default.metadata.items()


def test_the_columns_that_a_registered_model_takes_are_kept_beside_it(shop: Shop) -> None:
    column = {"name": "x", "kind": "number", "null_rate": 0.5, "categories": None}
    code, _, err = shop.cli("register", "EWR", str(shop.artifact(schema={"columns": [column]})))

    assert code == 0, err
    (kept,) = (shop.workspace / "s3").rglob("schema.json")
    assert json.loads(kept.read_text()) == {"columns": [{"name": "x", "kind": "number"}]}
    assert (kept.parent / "model.tar.gz").is_file()


def test_an_artifact_may_wait_for_its_approval(shop: Shop) -> None:
    shop.cli("register", "EWR", str(shop.artifact()), "--pending")

    assert shop.status("EWR") == {1: "PendingManualApproval"}


def test_the_same_artifact_is_registered_once_and_approved_when_asked(shop: Shop) -> None:
    artifact = str(shop.artifact())
    shop.cli("register", "EWR", artifact, "--pending")
    shop.cli("register", "EWR", artifact)

    assert shop.status("EWR") == {1: "Approved"}


def test_an_artifact_of_the_workspace_is_registered_by_its_uri(shop: Shop) -> None:
    uri = "s3://local/some/model.tar.gz"
    shop.ports.objects.upload(shop.artifact(), uri)

    assert shop.cli("register", "EWR", uri)[0] == 0
    assert shop.status("EWR") == {1: "Approved"}


def test_registering_goes_to_the_group_that_the_models_name_already_has(shop: Shop) -> None:
    shop.version("A-B-0a1b2c3d", model="A B")

    shop.cli("register", "A B", str(shop.artifact()))

    assert shop.status("A-B-0a1b2c3d") == {1: "PendingManualApproval", 2: "Approved"}


def test_an_artifact_trained_for_another_model_is_registered_with_a_note(shop: Shop) -> None:
    assert "note: it was trained for 'EWR'" in shop.cli("register", "JFK", str(shop.artifact()))[1]


def test_a_model_that_the_config_does_not_list_is_refused(shop: Shop) -> None:
    shop.configure(LISTED)

    code, _, err = shop.cli("register", "EWT", str(shop.artifact()))

    assert (code, err) == (2, "no model is called 'EWT'; did you mean 'EWR'?\n")


@pytest.mark.parametrize(
    "kind", ["a path upwards", "a symbolic link", "a name twice", "nothing", "no gzip", "no metadata"]
)
def test_what_is_no_artifact_of_ours_is_refused_and_nothing_registered(shop: Shop, kind: str) -> None:
    path, said = model_archives.write(shop.root, kind)

    code, out, err = shop.cli("register", "EWR", str(path))

    assert (code, out) == (2, "")
    assert err.startswith(f"{path}: ")
    assert said in err
    assert err.count("\n") == 1
    assert shop.ports.registry.groups("flights") == ()
    assert not (shop.workspace / "s3").exists()


@pytest.mark.parametrize(("name", "said"), [("missing", "no such file"), (".", "is a folder, not a file")])
def test_what_is_no_file_is_refused(shop: Shop, name: str, said: str) -> None:
    code, _, err = shop.cli("register", "EWR", str(shop.root / name))

    assert code == 2
    assert said in err


def test_a_missing_uri_exits_with_2(shop: Shop) -> None:
    code, _, err = shop.cli("register", "EWR", "s3://local/none/model.tar.gz")

    assert code == 2
    assert "s3://local/none/model.tar.gz" in err


def test_an_artifact_may_be_named_as_sagemaker_does(shop: Shop) -> None:
    assert shop.cli("register", "EWR", "--model-data", str(shop.artifact()))[0] == 0
    assert shop.status("EWR") == {1: "Approved"}


@pytest.mark.parametrize("artifact", [(), ("a.tar.gz", "--model-data", "b.tar.gz")])
def test_an_artifact_is_given_once(shop: Shop, artifact: tuple[str, ...]) -> None:
    code, _, err = shop.cli("register", "EWR", *artifact)

    assert (code, err) == (2, "register MODEL: give the artifact once, as ARTIFACT or with --model-data URI\n")


def test_a_missing_config_exits_with_2(shop: Shop) -> None:
    (shop.root / "config.yml").unlink()

    assert shop.cli("list")[0] == 2


@pytest.mark.parametrize("arguments", [[], ["--local"], ["approve"], ["reject", "EWR"], ["reject", "EWR", "one"]])
def test_bad_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        registry.main(arguments)

    assert raised.value.code == 2


def test_options_may_stand_after_the_command(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--local", "--config", str(shop.root / "config.yml"), "--workspace", str(shop.workspace)]

    assert registry.main(["list", *options]) == 0
    assert "no model of pipeline 'flights'" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pipelines import registry\n"
        "try: registry.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'pydantic', 'yaml', 'boto3', 'sagemaker'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_mae_that_is_no_finite_number_is_shown_as_none(shop: Shop) -> None:
    for figure in ("nan", "inf", "much"):
        shop.version("EWR", mae=figure)

    code, out, _ = shop.cli("list", "--json")

    assert (code, [row["mae"] for row in json.loads(out)]) == (0, [None, None, None])
