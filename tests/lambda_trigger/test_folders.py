from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from lambda_cases import BASE, Desk

from lambda_trigger.folders import FolderNotifier, LocalContext, local_ports, lock_folder
from lambda_trigger.ports import PENDING, ModelGroup, NewPackage, NotifyError, RegistryError, StoreError, ports_for

GROUP = ModelGroup("flights-EWR", "flights", "EWR")


def new_package(number: int) -> NewPackage:
    return NewPackage(GROUP.name, PENDING, f"{BASE}/m", "i", f"token {number}", {"sha256": str(number)})


def test_commands_in_messages_say_local_and_what_else_the_workspace_needs(desk: Desk) -> None:
    ports = local_ports(desk.root, desk.resolve, io.StringIO(), "--config my.yml")

    assert ports.command("run", "--retry x") == "python -m pipelines.run --local --config my.yml --retry x"


def test_a_local_context_carries_its_ports(desk: Desk) -> None:
    ports = desk.ports

    assert ports_for(LocalContext(ports)) is ports


def test_versions_registered_side_by_side_get_numbers_of_their_own(desk: Desk) -> None:
    desk.ports.registry.ensure_group(GROUP)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: desk.ports.registry.register(new_package(n)).version, range(20)))

    assert sorted(made) == list(range(1, 21))


def test_of_conditional_puts_side_by_side_one_wins(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda n: desk.ports.objects.replace(f"{BASE}/x", str(n), None), range(20)))

    assert written.count(True) == 1


def test_writing_leaves_nothing_but_the_object(desk: Desk) -> None:
    desk.ports.objects.replace(f"{BASE}/x", "1", None)
    desk.ports.objects.copy(f"{BASE}/x", f"{BASE}/y")

    assert sorted(path.name for path in desk.resolve(BASE).iterdir()) == ["x", "y"]


def test_a_failed_copy_leaves_no_object(desk: Desk) -> None:
    with pytest.raises(StoreError):
        desk.ports.objects.copy(f"{BASE}/none", f"{BASE}/y")

    assert list(desk.resolve(BASE).iterdir()) == []


def test_a_copied_artifact_outlives_its_original(desk: Desk) -> None:
    desk.write(f"{BASE}/x", "model")
    desk.ports.objects.copy(f"{BASE}/x", f"{BASE}/y")
    desk.resolve(f"{BASE}/x").write_text("changed in place")

    assert desk.ports.objects.read_text(f"{BASE}/y") == "model"


def test_an_object_that_is_no_text_is_an_error(desk: Desk) -> None:
    desk.write(f"{BASE}/x", "")
    desk.resolve(f"{BASE}/x").write_bytes(b"\xff")

    with pytest.raises(StoreError, match="cannot be read"):
        desk.ports.objects.read_text(f"{BASE}/x")


def test_registering_in_a_group_that_was_not_made_is_an_error(desk: Desk) -> None:
    with pytest.raises(RegistryError, match="no such group"):
        desk.ports.registry.register(new_package(1))


def test_a_damaged_version_file_is_an_error_that_names_its_group(desk: Desk) -> None:
    desk.ports.registry.ensure_group(GROUP)
    (desk.root / "registry" / GROUP.name / "1.json").write_text("{", encoding="utf-8")

    with pytest.raises(RegistryError, match="flights-EWR"):
        list(desk.ports.registry.packages(GROUP.name))


def test_changing_a_version_that_is_gone_is_an_error(desk: Desk) -> None:
    desk.ports.registry.ensure_group(GROUP)
    made = desk.ports.registry.register(new_package(1))

    with pytest.raises(RegistryError):
        desk.ports.registry.set_status(replace(made, version=9), "Approved", {})


def test_a_message_that_cannot_be_kept_is_a_notify_error(desk: Desk) -> None:
    (desk.root / "outbox").write_text("a file where the folder should be", encoding="utf-8")

    with pytest.raises(NotifyError, match="'started'"):
        desk.ports.notifier.publish("s", "b", {"execution": "run-1", "kind": "started"})


@pytest.mark.parametrize("execution", ["../../x", "..", "/tmp/x", "a/b", "", "a\nb"])
def test_a_message_is_never_kept_outside_of_the_outbox(desk: Desk, execution: str) -> None:
    with pytest.raises(NotifyError, match="is no name of a folder"):
        desk.ports.notifier.publish("s", "b", {"execution": execution, "kind": "started"})

    assert not (desk.root / "outbox").exists()


def test_a_message_forges_no_header_and_steers_no_terminal(desk: Desk) -> None:
    desk.ports.notifier.publish(
        "one\nBcc: x@y.z\r\n\x1b[2J", "line 1\nline 2\r\x1b[1A\u202e", {"execution": "e1", "kind": "started"}
    )

    (kept,) = (desk.root / "outbox" / "e1").iterdir()
    assert kept.read_text(encoding="utf-8") == (
        "Subject: one\\nBcc: x@y.z\\r\\n\\x1b[2J\n\nline 1\nline 2\\r\\x1b[1A\\u202e"
    )
    assert desk.console.getvalue() == "\nline 1\nline 2\\r\\x1b[1A\\u202e\n\n"


def test_a_closed_console_is_a_notify_error(tmp_path: Path) -> None:
    console = io.StringIO()
    console.close()

    with pytest.raises(NotifyError):
        FolderNotifier(tmp_path, console, tmp_path).publish("s", "b", {"execution": "run-1", "kind": "started"})


def test_a_lock_is_given_back_when_its_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), lock_folder(tmp_path / "folder"):
        raise ValueError("inside")

    with lock_folder(tmp_path / "folder") as folder:
        assert folder.is_dir()


def test_a_damaged_count_of_versions_writes_over_none(desk: Desk) -> None:
    desk.ports.registry.ensure_group(GROUP)
    desk.ports.registry.register(new_package(1))
    path = desk.root / "registry" / GROUP.name / "group.json"
    path.write_text(path.read_text().replace('"last_version": 1', '"last_version": 0'))

    assert desk.ports.registry.register(new_package(2)).version == 2


def test_a_version_that_lies_in_another_groups_folder_is_not_believed(desk: Desk) -> None:
    desk.ports.registry.ensure_group(GROUP)
    desk.ports.registry.register(new_package(1))
    path = desk.root / "registry" / GROUP.name / "1.json"
    path.write_text(path.read_text().replace('"group": "flights-EWR"', '"group": "flights-JFK"'))

    with pytest.raises(RegistryError, match=r"flights-EWR: .*1\.json is damaged \(TypeError\)"):
        list(desk.ports.registry.packages(GROUP.name))
