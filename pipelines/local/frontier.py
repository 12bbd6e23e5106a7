"""Which steps can start, kept up to date as steps end, so that nothing is searched for in the whole graph again.

Pure. `schedule` says what a graph is; `engine` tells the frontier what ended.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.local.record import SUCCEEDED, StepRecord
from pipelines.local.schedule import Graph, lost_branch


class Frontier:
    """The steps of a graph that have become ready and were not taken yet; `positions` are theirs in the definition."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._open = {name: len(needs) for name, needs in graph.needs.items()}
        self.positions = {name: position for position, name in enumerate(graph.steps)}
        self._dependents: dict[str, list[str]] = {}
        for name, needs in graph.needs.items():
            for need in needs:
                self._dependents.setdefault(need, []).append(name)
        self._ready = [name for name in graph.steps if not self._open[name]]

    def end(self, record: StepRecord, records: Mapping[str, StepRecord]) -> None:
        """Note that a step has ended; `records` are all that have, this one included."""
        if record.status != SUCCEEDED:
            return
        for name in self._dependents.get(record.name, ()):
            self._open[name] -= 1
            if not self._open[name] and not lost_branch(self._graph, records, name):
                self._ready.append(name)

    def take(self, records: Mapping[str, StepRecord]) -> list[str]:
        """Return the steps without a record that are ready, each of them once, in the order of the definition."""
        taken, self._ready = self._ready, []
        return sorted((name for name in taken if name not in records), key=self.positions.__getitem__)
