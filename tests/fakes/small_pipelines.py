"""The shape of our pipeline, small: prepare, train and predict per model, two branches, and boards upon it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from local_definitions import compare, condition, definition_text, lambda_step, processing

from pipelines.board import Board, Known
from pipelines.local import document
from pipelines.local.record import StepEvent
from pipelines.local.step import Definition

CODE = {"Train": "train", "Infer": "infer", "PrepareTraining": "prepare", "PostProcess": "post"}


def shaped(models: Sequence[str] = ("EWR", "JFK", "LGA"), *, cache: bool = False) -> Definition:
    """Return a definition with one Train step and one Infer step per model, and another branch of the same."""

    def job(kind: str, name: str, *needs: str, **more: object) -> dict:
        return processing(name, CODE[kind], DependsOn=list(needs), cache=cache and kind == "Train", **more)

    trains = [f"Train-{model}" for model in models]
    infers = [f"Infer-{model}" for model in models]
    steps = [
        job("PrepareTraining", "PrepareTraining"),
        *(job("Train", name, "PrepareTraining") for name in trains),
        lambda_step("Judge", "judge", DependsOn=trains),
        condition(
            "MaeGate",
            [compare("Equals", 1, 1)],
            [*(job("Infer", name) for name in infers), job("PostProcess", "PostProcess", *infers)],
            [job("Infer", f"{name}Fallback") for name in infers],
            DependsOn=["Judge"],
        ),
    ]
    return document.parse(definition_text(steps))


TOOK = {"PrepareTraining": [3.0], "Train-EWR": [10.0], "Train-JFK": [20.0], "Infer-EWR": [4.0], "PostProcess": [2.0]}


class Clock:
    """Time as a test has it."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def board(
    models: Sequence[str] = ("EWR", "JFK", "LGA"), folder: Path | None = None, cores: int | None = 2, **more: object
) -> tuple[Board, Clock]:
    """Return a board on which nothing has happened yet, and its clock."""
    clock = Clock()
    known = Known(taken=more.get("taken", TOOK), cores=cores, parallelism=more.get("parallelism"), folder=folder)
    return Board(shaped(models, cache=bool(more.get("cache"))), known, clock), clock


def event(step: str, status: str, at: float, reason: str = "") -> StepEvent:
    return StepEvent(step, "Processing", status, at, reason)


def ran(shown: Board, step: str, start: float, end: float, status: str = "Succeeded") -> None:
    """Let a step have run."""
    shown.take(event(step, "Starting", start))
    shown.take(event(step, "Executing", start))
    shown.take(event(step, status, end))
