"""`report.html`: the run as one self-contained page, verdict first, details of each model on demand.

PostProcess calls `render` with what `summary` found. The page asks for nothing outside itself: style, script, data
and the chart library are inside, and its content security policy forbids the rest. Every text is data here: Jinja
escapes it in markup, `embedding` in JSON, and the script writes text nodes only. It publishes nothing.
What is shown of a table, a model, the graph and the lineage is arranged by the modules `report_*`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import plotly.offline
from markupsafe import Markup

from steps import (
    contract,
    embedding,
    japanese_script,
    report_advice,
    report_figures,
    report_graph,
    report_lineage,
    report_model,
    report_table,
    summary,
)
from steps.language import ENGLISH, Language
from steps.report_figures import Json

SCRIPTS = ("report.js", "report_figures.js", "report_model.js", "report_graph.js", "report_table.js")
"""Parts of the page's one script, in the order in which they build on each other."""
_FILES = 50
_HOME = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """What lies beside the report: the data set's files, and the CSV's name or None."""

    files: tuple[str, ...]
    csv: str | None


def render(run: summary.Run, found: Json, published: Published, local: bool, say: Language = ENGLISH) -> str:
    """Return the report of a run as HTML; `local` says whose commands to show, this machine's or AWS's."""
    return _template().render(
        say=say,
        found=found,
        tone=_tone(run),
        published=published,
        advice=report_advice.advice(run, local, say),
        tiles=report_table.tiles(run, found, say),
        rows=report_table.rows(run.models, say),
        metrics=report_table.metric_names(run.models),
        graph=report_graph.graph(run, say),
        lineage=_lineage(run, say),
        sides=_sides(run, say),
        most_files=_FILES,
        headline=summary.headline(run.models, say),
        texts=_embedded({text: say.texts[text] for text in japanese_script.SCRIPT if text in say.texts}),
        overview=_embedded(report_table.overview(run.models)),
        details=[_embedded(detail) for detail in report_model.details(run.models, say)],
        plotly=_script(plotly.offline.get_plotlyjs()),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(figure=report_figures.figure, percent=report_figures.percent)
    environment.globals["style"] = Markup(_read("report.css"))  # noqa: S704 - our own file, not data
    environment.globals["script"] = _script("\n".join(_read(name) for name in SCRIPTS))
    environment.globals["realised"] = embedding.REALISED
    return environment.from_string(_read("report.html"))


def _read(name: str) -> str:
    return (_HOME / name).read_text(encoding="utf-8")


def _script(text: str) -> Markup:
    """Return a script so that nothing in it can end its element."""
    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))  # noqa: S704 - our own files


def _embedded(value: Any) -> Markup:
    return Markup(embedding.to_script(value))  # noqa: S704 - every character that means something to HTML is gone


def _tone(run: summary.Run) -> str:
    if summary.status_of(run.models) == summary.DEGRADED:
        return "bad"
    served = any(model.source == contract.DEFAULT and model.rows for model in run.models)
    return "warn" if served and run.mode == contract.FULL else "good"


def _lineage(run: summary.Run, say: Language) -> dict[str, Any]:
    return {
        "facts": report_lineage.facts(run, say),
        "versions": report_lineage.versions(run, say),
        "code": report_lineage.code(run),
        "images": report_lineage.images(run),
        "settings": report_lineage.settings(run),
        "artifacts": report_lineage.artifacts(run.models),
    }


def _sides(run: summary.Run, say: Language) -> list[dict[str, Any]]:
    """Return the raw files of training and prediction; a run that trains nothing has no training files."""
    training = [(say("Training files"), run.train_data)] if run.mode == contract.FULL else []
    sides = [*training, (say("Prediction files"), run.predict_data)]
    return [{"title": title, "files": report_lineage.data_files(data)} for title, data in sides]
