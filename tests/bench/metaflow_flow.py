"""The peer's side of the engine's row: start, 6 x (train, infer), join, end in Metaflow; 15 tasks of no work."""

from metaflow import FlowSpec, step


class NoWorkFlow(FlowSpec):
    """A foreach of six with two steps each."""

    @step
    def start(self):
        """Fan out."""
        self.models = list(range(6))
        self.next(self.train, foreach="models")

    @step
    def train(self):
        """Do nothing."""
        self.next(self.infer)

    @step
    def infer(self):
        """Do nothing."""
        self.next(self.join)

    @step
    def join(self, inputs):
        """Come together."""
        self.next(self.end)

    @step
    def end(self):
        """Do nothing."""


if __name__ == "__main__":
    NoWorkFlow()
