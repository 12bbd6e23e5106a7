"""The pages of the pipeline's parameters and of what its steps hand on, from contract and compiled definition.

The definition is the golden file, which a test of its own keeps equal to what the code compiles.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_files import FILES

from steps import contract as c

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "flights.definition.json"
ONE = "EWR"
"""The model of the golden definition that stands for all of them."""
FIRST = "C-all"
"""Its first one: PostProcess takes what all Infer steps wrote, by the URI of the first."""
MEANINGS = {
    c.RAW_DATA_URI: ("computed", "the raw folder"),
    c.TRAIN_DATA_VERSION: ("computed", "sha256 over key, etag and size of the files to train on; names their manifest"),
    c.PREDICT_DATA_VERSION: ("computed", "likewise, of the files to predict"),
    c.MAE_THRESHOLD: ("`gate.mae`, else 1e11: the relative rule alone decides", "largest MAE that passes the gate"),
    c.FALLBACK_POLICY: ("`fallback.policy`", "which segments a rejected model sends to their defaults"),
    c.TRAIN_TIME_LIMIT: ("`training.time_limit`", "seconds that a model may train"),
}
PARAMETERS = """# Pipeline parameters

What may differ from one execution to the next without another definition: in Studio's form, with `--set Name=Value`, or
in the body of a `.run` marker (`Name: value`, a line each). Data versions are computed from the raw files by whoever
starts an execution: on AWS by the trigger or `pipelines.run`; to start one from Studio,
`python -m pipelines.run --print-version` prints them.

| parameter | type | default | meaning |
|---|---|---|---|
"""
OWN = """
The user's own are added under `parameters` in the config; the type is that of the default there
([Parameters of your own](../how-to/own-parameters.md)).
"""
CONTRACTS = f"""# Contracts between the steps

What each step is given and what it hands on. Names stand once, in `steps/contract.py`; whoever changes a step keeps to
them, or changes them with every step that uses them. `<model>` is a model's slug. Where models share jobs, the job of a
shard does for several of them what is said of `Train-<model>` here.

## Where a step finds things

| what | where |
|---|---|
| an input | `{c.INPUT_ROOT}/NAME/`, read only; `contract.input_dir(NAME)` |
| an output | `{c.OUTPUT_ROOT}/NAME/`, taken over when the step has succeeded; `contract.output_dir(NAME)` |
| its settings | `{c.SETTINGS_FILE}` in the input `{c.IN_SETTINGS}`: those keys only that the step depends on |
| its code | the input `{c.IN_CODE}`, on PYTHONPATH |
| the user's parameters | `{c.PARAMETER_PREFIX}Name` in the environment |
| why it failed | one line in `/opt/ml/output/message`, {c.MESSAGE_LIMIT} bytes at most |
| that its success must not be reused | an empty file `/opt/ml/output/{c.NO_CACHE_FILE}` |

`{c.ML_ROOT_VARIABLE}` in the environment names the folder that stands in for `/opt/ml`; the local engine sets it."""


def parameters_page() -> str:
    """Return the page of the pipeline's parameters."""
    found = {parameter["Name"]: parameter for parameter in definition()["Parameters"]}
    lines = []
    for name in c.RESERVED_PARAMETERS:
        default, meaning = MEANINGS[name]
        choices = found[name].get("EnumValues", ())
        told = f"; {' or '.join(f'`{choice}`' for choice in choices)}" if choices else ""
        lines.append(f"| `{name}` | {found[name]['Type']} | {default} | {meaning}{told} |")
    return PARAMETERS + "\n".join(lines) + "\n" + OWN


def contracts_page() -> str:
    """Return the page of what steps hand to each other."""
    steps = list(kinds(definition()["Steps"]))
    jobs = [line for step in steps if step["Type"] == "Processing" for line in job(step)]
    functions = [function(step) for step in steps if step["Type"] == "Lambda"]
    parts = [
        CONTRACTS,
        "## Processing jobs",
        table(("step", "runs", "input", "which is", "output"), jobs),
        "## Lambda functions",
        "The keys of the event are filled in when the step starts; later steps can refer to what a function answers.",
        table(("step", "function", "keys of the event", "answers"), functions),
        "## Files",
        "JSON is UTF-8 with sorted keys and no NaN. Of a list the keys are those of its items.",
        table(("file", "where", "holds"), files()),
    ]
    return "\n\n".join(parts)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def definition() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def kinds(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one step of each kind, that of the model ONE where there is one per model."""
    for step in steps:
        name, arguments = step["Name"], step["Arguments"]
        if step["Type"] == "Condition":
            yield from kinds(arguments["IfSteps"])
            yield from kinds(arguments["ElseSteps"])
        elif "-" not in name or name.endswith(f"-{ONE}"):
            yield step


def job(step: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a processing job: an input and an output each, as far as there are any."""
    arguments = step["Arguments"]
    given = [(i["InputName"], source(i["S3Input"]["S3Uri"])) for i in arguments["ProcessingInputs"]]
    given = [(name, uri) for name, uri in given if name not in (c.IN_CODE, c.IN_SETTINGS)]
    made = [f"`{o['OutputName']}`" for o in arguments["ProcessingOutputConfig"]["Outputs"]]
    call = arguments["AppSpecification"]
    words = [call["ContainerEntrypoint"][-1], *call.get("ContainerArguments", ())]
    runs = " ".join(word if isinstance(word, str) else "..." for word in words)
    for at in range(max(len(given), len(made))):
        name, uri = given[at] if at < len(given) else ("", "")
        first = (f"`{general(step['Name'])}`", f"`{runs}`") if at == 0 else ("", "")
        yield (*first, f"`{name}`" if name else "", uri, made[at] if at < len(made) else "")


def function(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the line of a Lambda step."""
    name = step["FunctionArn"].rpartition(":")[2].partition("-")[2]
    keys = dict.fromkeys(general(key) for key in step["Arguments"] if not other_model(key))
    answers = dict.fromkeys(re.sub(r"\d\d$", "NN", output["OutputName"]) for output in step["OutputParameters"])
    shown = (", ".join(f"`{word}`" for word in words) for words in (keys, answers))
    return (f"`{general(step['Name'])}`", f"`lambda_trigger.{name}`", *shown)


def other_model(key: str) -> bool:
    """Tell whether a key is that of a model which ONE stands for already."""
    return "-" in key and not key.endswith(f"-{ONE}")


def general(name: str) -> str:
    """Return the name of a step or key of one model as that of all: the first one's has what all of a branch share."""
    return re.sub(f"-({ONE}|{FIRST})$", "-<model>", name)


def source(uri: Any) -> str:
    """Return in words where an input comes from."""
    if isinstance(uri, str):
        return f"`{uri}`"
    if "Std:Join" in uri:
        head, *below = (part for part in uri["Std:Join"]["Values"] if part and "s3://" not in str(part))
        names = [part["Get"].removeprefix("Parameters.") if isinstance(part, dict) else part for part in below]
        path = "/".join("<model>" if name == ONE else name for name in names)
        return f"`{path}` in {source(head)}" if isinstance(head, dict) else f"`{head}/{path}`"
    step, _, rest = uri["Get"].removeprefix("Steps.").partition(".")
    named = re.findall(r"\['([^']+)'\]", rest)[0]
    return f"`{re.sub(r'[0-9]{2}$', 'NN', named)}` of `{general(step)}`"


def files() -> list[tuple[str, ...]]:
    """Return a line for every file name of the contract."""
    names = [name for name in constants() if name.endswith("_FILE")]
    assert set(names) == set(FILES), (
        f"tests/documentation/reference_files.py: describe {sorted(set(names) ^ set(FILES))}"
    )
    return [(f"`{getattr(c, name)}`", FILES[name].where, FILES[name].told()) for name in names]


def constants() -> list[str]:
    """Return the constants of the contract in their order."""
    nodes = ast.parse(inspect.getsource(c)).body
    return [t.id for node in nodes if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)]
