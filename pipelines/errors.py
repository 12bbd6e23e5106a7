"""Every error of this package that is the user's to mend; anything else is a bug and keeps its traceback.

PipelineError               base: a CLI prints it and exits with 2
+- SettingsError            the config file, an overlay or a lock file
+- DefinitionError          a compiled definition: unknown type, dangling reference, service limit
+- ParameterError           values given for pipeline parameters
+- DataError                raw data: missing folder, no file for a glob, wrong columns
+- WorkspaceError           an s3:// URI or a path that does not belong where it points
+- ExecutionError           an execution that cannot be started, resumed or found
   +- UnknownExecutionError an execution that this pipeline does not have; the other one may
   +- LaunchError           a job that could not be started; `kind` decides whether a retry policy applies
   +- BrokenOffError        an execution that had begun and could not go on here; the command exits with 1
+- RegistryError            a model or a version that the registry does not hold
+- AwsError                 AWS cannot be reached, refuses, or does not hold what was asked for
   +- DeployError           a stack or an image could not be made; the command exits with 1

Depends on nothing, so that every part of the package may import it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PipelineError(Exception):
    """One or more problems, each a sentence that says what was found, what was expected and what to do.

    `problems` holds them one by one; `str()` joins them, one per line.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: tuple[str, ...] = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class SettingsError(PipelineError):
    """The configuration cannot be used as it stands."""


class DefinitionError(PipelineError):
    """A definition holds something that the service or the local engine would refuse."""


class ParameterError(PipelineError):
    """Values for pipeline parameters are missing, unknown or of the wrong type."""


class DataError(PipelineError):
    """The raw data are missing or do not have the form that the settings promise."""


class WorkspaceError(PipelineError):
    """A URI or a path does not lie where the workspace allows it."""


class ExecutionError(PipelineError):
    """An execution cannot be started, resumed or found."""


class LaunchError(ExecutionError):
    """A step's job could not be started; nothing of the step's own code ran.

    `kind` is the exception type that a retry policy names, such as `SageMaker.JOB_INTERNAL_ERROR`.
    """

    def __init__(self, problem: str, kind: str = "SageMaker.JOB_INTERNAL_ERROR") -> None:
        super().__init__(problem)
        self.kind = kind


class BrokenOffError(ExecutionError):
    """An execution had begun and its engine could not go on; what succeeded is kept and it can be resumed."""


class UnknownExecutionError(ExecutionError):
    """The pipeline has no execution of this ID."""


class RegistryError(PipelineError):
    """The model registry does not hold what was asked for."""


class AwsError(PipelineError):
    """AWS cannot be reached, refuses a call, or does not hold what was asked for; `code` is the service's own."""

    def __init__(self, problem: str, code: str = "") -> None:
        super().__init__(problem)
        self.code = code


class DeployError(AwsError):
    """A stack or an image could not be made, changed or removed: the work began and failed."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest of `names`, or nothing where none is close."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
