"""What an ml.* instance type has: cores and memory. Pure.

No library that we keep knows it (botocore lists the names only), so it stands here: within a family of EC2 the size
gives the cores and the family the memory of each (https://docs.aws.amazon.com/ec2/latest/instancetypes/, a page per
kind of family). What breaks that rule is listed by name. A family that is not here is not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TYPE = re.compile(r"ml\.(?P<family>[a-z0-9-]+)\.(?P<size>medium|large|(?P<times>[1-9][0-9]*)?xlarge)")
_SMALL = {"medium": 1, "large": 2, "xlarge": 4}
"""Cores of the sizes without a number; `Nxlarge` has 4 N."""
_PER_CORE = {
    **dict.fromkeys(("c5", "c5d", "c6i", "c7i", "c7i-flex", "c8i", "c8i-flex"), 2.0),
    **dict.fromkeys(("t3", "m4", "m5", "m5d", "m6i", "m7i", "m7i-flex", "m8i", "m8i-flex", "g4dn", "g5", "g6"), 4.0),
    **dict.fromkeys(("r5", "r5d", "r6i", "r7i", "r8i", "r8i-flex", "g6e"), 8.0),
    "c4": 1.875,
    "p3": 7.625,
}
"""GiB of memory for each core (vCPU), by family."""
_OTHERS = {
    "t3.medium": (2, 4.0),
    "c4.8xlarge": (36, 60.0),
    "p2.xlarge": (4, 61.0),
    "p2.8xlarge": (32, 488.0),
    "p2.16xlarge": (64, 732.0),
    "p5.4xlarge": (16, 256.0),
}


@dataclass(frozen=True)
class Machine:
    """Cores (vCPU), and memory in GB of 2**30 bytes."""

    cores: int
    memory_gb: float


def machine_of(instance_type: str) -> Machine | None:
    """Return what an instance type such as `ml.m5.xlarge` has, or None where that is not known here."""
    other = _OTHERS.get(instance_type.removeprefix("ml."))
    found = _TYPE.fullmatch(instance_type)
    if found and other:
        return Machine(*other)
    if not found or found["family"] not in _PER_CORE:
        return None
    cores = int(found["times"]) * 4 if found["times"] else _SMALL[found["size"]]
    return Machine(cores, cores * _PER_CORE[found["family"]])
