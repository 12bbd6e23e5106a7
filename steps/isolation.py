"""Whose problem it is: the flow of `on_segment_failure: isolate` in the prepare steps.

What is wrong with one model's own rows or own files is blamed on it; the step is then prepared again as if these rows
were not there. The good path pays nothing: who is to blame is asked only once something is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from steps import assignment, contract, problem
from steps.assignment import Matcher, Plan, Rule
from steps.job import StepError
from steps.problem import FileError, ProblemError

log = logging.getLogger(__name__)

T = TypeVar("T")
Blame = Mapping[int, Sequence[str]]
"""What is wrong, by the position of the model whose own it is."""


class BlamedError(ProblemError):
    """The data have problems, and some of them are single models' own."""

    def __init__(self, problems: Sequence[str], models: Blame) -> None:
        super().__init__(problems)
        self.models = models


@dataclass(frozen=True)
class Scope:
    """Which models are prepared: all but those that failed, each with why; `common` are the globs of all models."""

    rules: tuple[Rule, ...]
    common: tuple[str, ...] = ()
    isolates: bool = False
    failed: Mapping[int, str] = field(default_factory=dict)

    def owner(self, key: str) -> int | None:
        """Return the model that alone names a file, or None."""
        named = [n for n, rule in enumerate(self.rules) if rule.globs and contract.matches(key, rule.globs)]
        shared = assignment.needs_common(self.rules) and contract.matches(key, self.common)
        return named[0] if len(named) == 1 and not shared else None

    def has_lost(self, key: str) -> bool:
        """Tell whether a file is the own one of a model that failed."""
        return bool(self.failed) and self.owner(key) in self.failed

    def settle(self, problems: Sequence[str], blame: Callable[[], Blame]) -> None:
        """Raise StepError for all problems, if there are any; one that says whom to leave out where that helps."""
        if problems and self.isolates and (found := blame()):
            raise BlamedError(problems, found)
        problem.raise_all(problems)


def scope_of(settings: Mapping[str, Any], role: str, common: Sequence[str]) -> Scope:
    """Return the scope of all models of a settings slice."""
    isolates = settings.get(contract.ON_SEGMENT_FAILURE) == contract.ISOLATE
    return Scope(assignment.read_rules(settings["models"] or (), role), tuple(common), isolates)


@dataclass(frozen=True)
class Owners:
    """Whose the rows of a code are."""

    matcher: Matcher
    pooled: int | None

    @classmethod
    def of_plan(cls, plan: Plan) -> Owners:
        """Return the owners of a plan's codes."""
        return cls(Matcher(plan), next((n for n, rule in enumerate(plan.rules) if rule.pooled), None))

    def of(self, code: int) -> int | None:
        """Return the one model whose the rows are: the pooled one's, if no other's; None: nobody's, or of several."""
        if code == assignment.NOBODY:
            return None
        found = self.matcher.models(code)
        return self.pooled if not found else found[0] if len(found) == 1 else None

    def spared(self, codes: Iterable[int], failed: Mapping[int, str]) -> list[int]:
        """Return the codes whose rows are left out."""
        return [code for code in codes if code == assignment.NOBODY or self.of(code) in failed]

    def by_model(self, codes: Iterable[int]) -> dict[int, list[int]]:
        """Return the codes of each model that alone has rows of them."""
        found: dict[int, list[int]] = {}
        for code in sorted(codes):
            model = self.of(code)
            if model is not None:
                found.setdefault(model, []).append(code)
        return found


def attempt(work: Callable[[Scope], T], scope: Scope) -> T:
    """Return what `work` makes of the data, without the models whose own rows or files are at fault.

    Raises:
        StepError: something is wrong that is no single model's own, or with all models; it tells all that was found.
    """
    while True:
        try:
            return work(scope)
        except StepError as error:
            found = _blame(scope, error)
            if not found:
                raise _explain(scope, error) from None
            left_out = {model: "; ".join(texts) for model, texts in found.items()}
            scope = replace(scope, failed={**scope.failed, **left_out})
            if all(n in scope.failed for n, rule in enumerate(scope.rules) if not rule.pooled):
                raise
            for model, reason in left_out.items():
                log.warning("%s is left out: %s", scope.rules[model].name, reason)


def _blame(scope: Scope, error: StepError) -> Blame:
    if not scope.isolates:
        return {}
    if isinstance(error, BlamedError):
        return error.models
    found: dict[int, list[str]] = {}
    for key, texts in error.texts.items() if isinstance(error, FileError) else ():
        owner = scope.owner(key)
        if owner is not None and owner not in scope.failed:
            found.setdefault(owner, []).extend(texts)
    return found


def _explain(scope: Scope, error: StepError) -> StepError:
    """Return the error with what was blamed on models before it was met."""
    if not scope.failed:
        return error
    met = error.problems if isinstance(error, ProblemError) else (str(error),)
    told = [f"model {scope.rules[model].name!r}: {reason}" for model, reason in scope.failed.items()]
    return ProblemError([*told, *met])
