"""`runs.html` as people see it: in a browser, from the disk."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from kept_executions import Told, add, keep, write_down
from local_outcomes import definition, ping
from no_work import InertLauncher
from no_work import steps as no_work_steps
from page_watch import LOOKS, PHONE, overflow
from playwright.sync_api import Page, expect

from pipelines import runs_data, runs_page
from pipelines.local import document
from pipelines.local.engine import Exit, Request, Task, World, execute
from pipelines.local.record import StepRecord
from pipelines.local.workspace import Workspace

pytestmark = pytest.mark.slow
HOSTILE = "</script><script>alert(1)</script>\u2028 \"'\\ <img src=x onerror=alert(1)>"
LINES = """(name) => { // the lines that a name takes
  const lines = [];
  let top = null;
  const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    for (let at = 0; at < text.data.length; at += 1) {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      const found = Math.round(range.getBoundingClientRect().top);
      if (found !== top) lines.push("");
      top = found;
      lines[lines.length - 1] += text.data[at];
    }
  }
  return lines;
}"""
DIAMOND = definition(
    ping("Start", Description="Begin with 札幌"),
    ping("Train-Very-Long-Name-Of-A-Segment", DependsOn=["Start"]),
    ping("Train-b", DependsOn=["Start"]),
    ping("End", DependsOn=["Train-Very-Long-Name-Of-A-Segment", "Train-b", "Start"]),
)


def ran(name: str, started: float, seconds: float, status: str = "Succeeded", **facts: object) -> StepRecord:
    return StepRecord(name, "Lambda", status, started=started, seconds=seconds, **facts)  # type: ignore[arg-type]


RECORDS = (
    ran("Start", 100.0, 2.0),
    ran("Train-Very-Long-Name-Of-A-Segment", 102.0, 3.0),
    ran("Train-b", 102.0, 61.0),
    ran("End", 163.0, 1.0),
)


def open_page(page: Page, root: Path, execution: str = "") -> None:
    runs_page.refresh(Workspace(root))
    page.on("dialog", lambda dialog: pytest.fail(f"a text became code: {dialog.message}"))
    page.goto((root / "runs.html").as_uri() + (f"#{execution}" if execution else ""))
    expect(page.locator("#count")).not_to_be_empty()


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def listed(page: Page) -> list[str]:
    return [str(words).split(" ")[0] for words in page.locator(".run .under").all_inner_texts()]


def test_texts_stay_texts_whatever_they_hold(page: Page, tmp_path: Path) -> None:
    steps = definition(ping("First", Description=HOSTILE))
    record = ran("First", 100.0, 1.0, "Failed", reason=HOSTILE)
    keep(tmp_path, "e1", steps, [record], "Failed", pipeline=HOSTILE, raw=HOSTILE, cause=HOSTILE)

    open_page(page, tmp_path, "e1")

    expect(page.get_by_text("0 of 1 steps done")).to_be_visible()
    shown = page.locator("main").evaluate("(main) => main.textContent")
    assert shown.count(HOSTILE) == 6  # pipeline, cause, raw data, the error, the step's reason and its description
    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_nobody_is_shut_out_and_nothing_is_wider_than_the_window(
    page: Page, axe: Callable[[Page], list[str]], tmp_path: Path
) -> None:
    failed = [RECORDS[0], ran("Train-b", 102.0, 5.0, "Failed", reason="out of memory " * 40)]
    keep(tmp_path, "e1", DIAMOND, RECORDS, started="2026-01-01T00:00:00+00:00")
    keep(tmp_path, "e2", DIAMOND, failed, "Failed", started="2026-01-02T00:00:00+00:00", cause="marker 売上/x.run")
    add(tmp_path, "e3", "Started", started="2026-01-03T00:00:00+00:00")

    open_page(page, tmp_path, "e1")
    for execution in ("e2", "e3"):
        page.locator(f"[aria-controls=panel-{execution}]").click()
    expect(page.locator(".panel tbody tr")).to_have_count(4 + 4 + 2)

    assert axe(page) == []
    assert overflow(page) == 0


def test_the_graph_shows_what_waits_for_what_and_marks_the_critical_path(page: Page, tmp_path: Path) -> None:
    keep(tmp_path, "e1", DIAMOND, RECORDS)
    open_page(page, tmp_path, "e1")

    assert page.locator(".graph svg path").count() == 4  # not the one from Start to End: it waits for both trainings
    assert page.locator(".graph svg path.critical").count() == 2
    assert page.locator(".node.critical b").all_inner_texts() == ["Start", "Train-b", "End"]
    expect(page.get_by_text("Critical path: 1 min 4 s of 1 min 4 s")).to_be_visible()
    page.get_by_label("Show").select_option("critical path")
    assert page.locator(".panel tbody th > span:first-child").all_inner_texts() == ["Start", "Train-b", "End"]


@pytest.mark.parametrize("look", [PHONE], ids=str)
def test_on_a_phone_long_names_break_between_words_and_the_graph_fits(page: Page, tmp_path: Path) -> None:
    keep(tmp_path, "e1", DIAMOND, RECORDS)
    open_page(page, tmp_path, "e1")

    name = page.locator(".panel tbody th > span").filter(has_text="Train-Very").first
    assert "".join(name.evaluate(LINES)) == "Train-Very-Long-Name-Of-A-Segment"
    assert [line for line in name.evaluate(LINES)[:-1] if not line.endswith("-")] == []
    graph, window = page.locator(".graph").bounding_box(), page.viewport_size
    assert graph
    assert window
    assert graph["x"] >= 0
    assert graph["x"] + graph["width"] <= window["width"]
    last = page.locator(".node").last.bounding_box()
    assert last
    assert graph["y"] + graph["height"] - last["y"] - last["height"] < 12  # nothing blank below the last step


def test_steps_kept_from_an_earlier_attempt_do_not_count_as_its_time(page: Page, tmp_path: Path) -> None:
    later = [*RECORDS[:2], ran("Train-b", 90_000.0, 10.0), ran("End", 90_010.0, 1.0)]
    keep(tmp_path, "e1", DIAMOND, later, began=89_999.0)
    open_page(page, tmp_path, "e1")

    expect(page.get_by_text("4 of 4 steps done, 2 of them in an earlier run")).to_be_visible()
    expect(page.get_by_text("Critical path: 11 s of 12 s")).to_be_visible()
    assert page.locator(".lane:visible").count() == 2
    assert page.locator(".node").first.inner_text().endswith("✓ earlier")


def test_executions_are_found_by_text_and_by_status(page: Page, tmp_path: Path) -> None:
    add(tmp_path, "e1", started="2026-01-01T00:00:00+00:00", pipeline="shops")
    add(tmp_path, "e2", "Failed", "no rows left", started="2026-01-02T00:00:00+00:00")
    open_page(page, tmp_path)
    assert listed(page) == ["e2", "e1"]

    page.get_by_label("Search").fill("NO ROWS")
    expect(page.locator("#count")).to_have_text("1 of 2")
    assert listed(page) == ["e2"]
    page.get_by_label("Search").fill("nowhere")
    expect(page.get_by_text("No execution fits.")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Status").select_option("Succeeded")
    expect(page.locator("#count")).to_have_text("1 of 2")
    assert listed(page) == ["e1"]


def test_links_lead_to_report_predictions_and_logs_in_a_folder_with_any_name(page: Page, tmp_path: Path) -> None:
    root = tmp_path / "my runs 50% #1 札幌"
    out = {"predictions": "s3://b/out #1 札幌"}
    folder = root / "s3/b/out #1 札幌"
    (folder / "predictions").mkdir(parents=True)
    (folder / "predictions/part.csv").write_text("id\n")
    (folder / "report.html").write_text("<!doctype html><title>the report</title>")
    (folder / "summary.json").write_text(json.dumps({"status": "Succeeded", "models": {}}))
    steps = definition(ping("PostProcess"))
    keep(root, "e1", steps, [ran("PostProcess", 100.0, 1.0, outputs=out)])
    address = (root / "runs.html").as_uri()

    for name, words in (("Report", "the report"), ("Log of Post", "log of PostProcess")):
        open_page(page, root, "e1")
        page.get_by_role("link", name=name).click()
        page.wait_for_url(lambda url: url.split("#")[0] != address)
        assert words in page.content()
    open_page(page, root, "e1")
    place = page.get_by_role("link", name="Predictions").evaluate("(link) => link.href")
    assert Path(unquote(urlsplit(place).path)) == folder / "predictions"


def test_the_keyboard_reaches_everything(page: Page, tmp_path: Path) -> None:
    keep(tmp_path, "e1", DIAMOND, RECORDS)
    open_page(page, tmp_path)
    focused = "(document.activeElement.textContent || document.activeElement.id).trim()"

    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Skip to the runs"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".open")).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".node")).to_have_count(4)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Graph of the steps"
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Log"


def test_more_executions_come_on_demand_and_one_whose_steps_are_not_kept_says_so(page: Page, tmp_path: Path) -> None:
    for number in range(121):
        add(tmp_path, f"e{number:03d}", started=f"2026-02-01T{number // 60:02d}:{number % 60:02d}:00+00:00")
    open_page(page, tmp_path)

    expect(page.locator(".run")).to_have_count(100)
    page.get_by_role("button", name="Show 21 more").click()
    expect(page.locator(".run")).to_have_count(121)
    page.get_by_label("Search").fill("e000")
    expect(page.locator(".run")).to_have_count(1)
    page.locator(".open").click()
    expect(page.get_by_text("The steps of this execution are not kept on this page")).to_be_visible()


def test_a_thousand_steps_are_shown_by_kind_and_found_by_name_or_state(page: Page, tmp_path: Path) -> None:
    names = [f"Train-{number:04d}" for number in range(1000)]
    wide = definition(ping("Start"), *(ping(name, DependsOn=["Start"]) for name in names), ping("End", DependsOn=names))
    records = [ran(name, 101.0, 1.0, "Failed" if name.endswith("777") else "Succeeded") for name in names]
    keep(tmp_path, "e1", wide, [ran("Start", 100.0, 1.0), *records], "Failed")
    open_page(page, tmp_path, "e1")

    expect(page.locator(".node b")).to_have_text(["Start", "Train ×1000", "End"])
    expect(page.locator(".node.bad")).to_contain_text("1 failed · 999 of 1000 · 1.0 s")
    expect(page.locator(".panel tbody tr")).to_have_count(100)
    page.get_by_role("button", name="Show 100 more").click()
    expect(page.locator(".panel tbody tr")).to_have_count(200)
    page.get_by_label("Find").fill("0999")
    expect(page.locator(".panel tbody th > span:first-child")).to_have_text(["Train-0999"])
    page.get_by_label("Find").fill("")
    page.get_by_label("Show").select_option("failed")
    expect(page.locator(".panel tbody tr")).to_have_count(1)
    expect(page.locator(".panel tbody tr")).to_contain_text("Train-0777")


def test_an_execution_without_a_sign_of_life_is_called_interrupted(page: Page, tmp_path: Path) -> None:
    made, workspace = write_down(tmp_path, "e1", DIAMOND), Workspace(tmp_path)
    outlines = runs_data.outline(DIAMOND)
    line = {**runs_data.waiting(made), "status": "Executing", "since": 100.0}
    rows = runs_data.rows(outlines, {"Start": ran("Start", 100.0, 1.0)}, tmp_path)
    rows[1][3:6] = ["Executing", 101.0, None]
    runs_page.refresh(workspace, line)
    runs_page.write_run(workspace, line, outlines, rows)
    run = tmp_path / "executions/e1/run.js"
    run.write_text(re.sub(r'beat(\\*"):[0-9.]+', r"beat\1:200", run.read_text()))

    page.goto((tmp_path / "runs.html").as_uri())

    expect(page.locator(".sum .chip")).to_have_text("Interrupted")
    expect(page.get_by_text("No sign of life since")).to_be_visible()
    expect(page.locator(".node.bad")).to_contain_text("interrupted 1 min 39 s")


class Gates:
    """A launcher whose steps end when the test lets them."""

    def __init__(self) -> None:
        self.let: dict[str, threading.Event] = defaultdict(threading.Event)

    def run(self, task: Task) -> Exit:
        assert self.let[task.step].wait(60)
        return InertLauncher().run(task)


def test_the_steps_of_a_running_execution_turn_green_without_a_reload(page: Page, tmp_path: Path) -> None:
    """The engine itself runs them, in a thread; the page keeps what was typed, opened and marked."""
    made = document.parse(json.dumps({"Version": "2020-12-01", "Steps": no_work_steps(2)}))
    origin, workspace, gates = write_down(tmp_path, "e1", made), Workspace(tmp_path), Gates()
    world, request = World(workspace, gates, lambda function, event: {}), Request("e1", made, {}, cores=2)

    def work() -> None:
        with runs_page.keep(workspace, origin, made, Told(), pause=0.05) as recorder:
            execute(request, world, recorder.watch)

    engine = threading.Thread(target=work)
    engine.start()
    try:
        follow(page, tmp_path, gates)
    finally:
        for step in made.every_step():
            gates.let[step.name].set()
        engine.join()
    expect(page.locator(".sum .chip")).to_have_text("Succeeded")
    expect(page.get_by_role("status")).to_have_text("p e1: Succeeded")
    expect(page).to_have_title("Runs")
    assert page.evaluate("window.here") == "still"
    assert page.get_by_label("Search").input_value() == "e1"


def follow(page: Page, root: Path, gates: Gates) -> None:
    """Look at the page while step after step ends."""
    wait_for((root / "runs.html").exists)
    page.goto((root / "runs.html").as_uri())
    expect(page.locator(".node.busy b")).to_have_text("start")
    expect(page).to_have_title("Executing: p")
    page.evaluate("window.here = 'still'")
    page.get_by_label("Search").fill("e1")
    row = page.locator(".panel tbody tr")
    gates.let["start"].set()
    expect(page.locator(".node.good b")).to_have_text("start")
    expect(row.filter(has_text="start")).to_contain_text("Succeeded")
    gates.let["train-1"].set()
    expect(page.locator(".node.good b")).to_have_text(["start", "train-1"])
    expect(row.filter(has_text="train-0").locator(".chip")).to_have_text("Executing")
    expect(page.locator(".sum .chip")).to_have_text("Executing")
