"""What a user's own code may hold: the hooks, which step calls which, and where the code lies in a bundle.

Standard library only: the operator's side looks at the code by these names without importing it, the steps call it.
"""

from __future__ import annotations

PREPARE = "prepare"
FIT = "fit"
PREDICT = "predict"
METRICS = "metrics"
POSTPROCESS = "postprocess"

ARGUMENTS = {
    PREPARE: ("frame", "context"),
    FIT: ("train", "context"),
    PREDICT: ("model", "frame", "context"),
    METRICS: ("actual", "predicted", "context"),
    POSTPROCESS: ("predictions", "context"),
}
"""The hooks, each with what it is called with."""
CALLED_BY = {"prepare": (PREPARE,), "train": (FIT, PREDICT, METRICS), "postprocess": (POSTPROCESS,)}
"""The hooks that a step's module calls: its bundle holds the code of these, and no other does.

Infer calls `predict` too, and takes its code from the artifact of the model that it serves.
"""

FOLDER = "custom"
"""Below a code bundle: the user's own files."""
FOLDER_VARIABLE = "CUSTOM_CODE"
"""Where the user's files are, when somebody runs a step on them as they are now; unset: in the step's code."""
KEY = "code"
"""In a settings slice: the user's file, the hooks that the step calls, the types of parameters."""
KEY_FILE = "file"
KEY_HOOKS = "hooks"
KEY_PARAMETERS = "parameters"
