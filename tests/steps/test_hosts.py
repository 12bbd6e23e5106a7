"""Which instance of a job this is: by the service's file, the same on every host whatever order it lists them in."""

from __future__ import annotations

from pathlib import Path

import pytest

from steps import contract, hosts, job
from steps.hosts import Host


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(contract.ML_ROOT_VARIABLE, str(tmp_path))
    return tmp_path / "config" / "resourceconfig.json"


def test_without_the_services_file_a_step_is_alone(config: Path) -> None:
    assert not config.exists()
    assert hosts.current() == Host(1, 1)


def test_a_host_has_the_number_of_its_place_among_all_whatever_order_they_are_listed_in(config: Path) -> None:
    job.write_json(config, {"current_host": "algo-2", "hosts": ["algo-3", "algo-1", "algo-2"]})
    assert hosts.current() == Host(2, 3)


@pytest.mark.parametrize("names", [["algo-1"], ["algo-9", "algo-9"]], ids=["missing", "twice"])
def test_a_host_that_is_not_one_of_the_jobs_is_refused(config: Path, names: list[str]) -> None:
    job.write_json(config, {"current_host": "algo-9", "hosts": names})
    with pytest.raises(job.StepError, match=rf"'algo-9' is not one of the {len(names)} hosts of the job"):
        hosts.current()


def test_one_host_keeps_the_plain_names_and_several_never_share_one() -> None:
    alone = Host()
    assert (alone.part_stem, alone.inference_file, alone.is_alone) == ("part", "inference.json", True)
    several = [Host(number, 100) for number in range(1, 101)]
    assert len({host.part_stem for host in several}) == len({host.inference_file for host in several}) == 100
    assert several[1].part_stem == "part-002"
    assert [host.number for host in several if host.is_first] == [1]
