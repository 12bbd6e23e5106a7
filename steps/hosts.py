"""Which of the instances of a job this is, and what it calls its files so that no two of them write the same key.

SageMaker tells every container in `/opt/ml/config/resourceconfig.json`
(https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html); without that file, as where
a step is called by hand, there is one instance.
"""

from __future__ import annotations

from dataclasses import dataclass

from steps import contract, job

CONFIG_FILE = "resourceconfig.json"
PART = "part"
"""What the names of prediction parts begin with."""


@dataclass(frozen=True)
class Host:
    """One of `count` instances; `number` begins with 1."""

    number: int = 1
    count: int = 1

    @property
    def is_alone(self) -> bool:
        """Tell whether no other instance works on the job."""
        return self.count == 1

    @property
    def is_first(self) -> bool:
        """Tell whether this one writes what is to be there once."""
        return self.number == 1

    @property
    def part_stem(self) -> str:
        """Return what the names of its parts begin with."""
        return PART if self.is_alone else f"{PART}-{self.number:03d}"

    @property
    def inference_file(self) -> str:
        """Return the name of its report on a model's rows."""
        return contract.INFERENCE_FILE if self.is_alone else f"inference-{self.number:03d}.json"


def current() -> Host:
    """Return the instance that this process runs on.

    Raises:
        StepError: the instance is not among those of the job.
    """
    path = contract.ml_root() / "config" / CONFIG_FILE
    if not path.is_file():
        return Host()
    found = job.read_json(path)
    own, names = found["current_host"], sorted(found["hosts"])  # every host has to find the same order
    if names.count(own) != 1:
        raise job.StepError(f"{CONFIG_FILE}: {own!r} is not one of the {len(names)} hosts of the job: start it again")
    return Host(names.index(own) + 1, len(names))
