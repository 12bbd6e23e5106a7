"""What a source defines and uses, and which part of it some functions need."""

from __future__ import annotations

import ast

import pytest

from pipelines import code_parts

SOURCE = '''"""Steps of our own."""

import json
import math
import helpers
import plots

LIMIT = 3
COLOURS = {"a": 1}
json.dumps({})


def shared(x):
    return math.sqrt(x)


def prepare(frame, context):
    return shared(frame) + LIMIT


# draws
@plots.cached
def postprocess(predictions, context):
    return _paint(shared(predictions))


def _paint(x):
    return COLOURS, _mix(x)


def _mix(x):
    return helpers.f(_paint(x))
'''
KNOWN = ("prepare", "postprocess")


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def test_a_part_holds_the_wanted_functions_what_they_use_and_what_runs_by_itself() -> None:
    found = lines(code_parts.keep(SOURCE, ["prepare"], KNOWN))

    assert found == [
        '"""Steps of our own."""',
        "import json",
        "import math",
        "LIMIT = 3",
        "json.dumps({})",
        "def shared(x):",
        "    return math.sqrt(x)",
        "def prepare(frame, context):",
        "    return shared(frame) + LIMIT",
    ]


def test_what_only_the_unwanted_use_goes_with_them_even_where_it_uses_itself() -> None:
    found = code_parts.keep(SOURCE, ["prepare"], KNOWN)

    assert "_paint" not in found
    assert "helpers" not in found
    assert "draws" not in found


def test_lines_keep_their_numbers() -> None:
    part = code_parts.keep(SOURCE, ["postprocess"], KNOWN).splitlines()

    assert part.index("def postprocess(predictions, context):") == SOURCE.splitlines().index(
        "def postprocess(predictions, context):"
    )


def test_a_function_added_at_the_end_leaves_the_part_of_others_the_same_bytes() -> None:
    first = "def prepare(f, c):\n    return f\n"
    second = first + "\n\ndef postprocess(p, c):\n    import plots\n\n    return plots.f(p)\n"

    assert code_parts.keep(second, ["prepare"], KNOWN) == code_parts.keep(first, ["prepare"], KNOWN) == first


def test_an_unwanted_function_that_a_wanted_one_calls_stays() -> None:
    source = "def prepare(frame, context):\n    pass\n\ndef postprocess(p, context):\n    return prepare(p, context)\n"

    assert code_parts.keep(source, ["postprocess"], KNOWN) == source


def test_statements_that_change_something_stay_and_statements_that_share_a_line_stay_together() -> None:
    source = "import a\na.b = 1; c = 2\ndef postprocess(p, context):\n    return a, c\n"

    assert code_parts.keep(source, [], KNOWN) == "import a\na.b = 1; c = 2\n"


def test_what_nobody_uses_stays() -> None:
    assert code_parts.keep("x = 1\ndef prepare(f, c): ...", [], KNOWN) == "x = 1\n"


@pytest.mark.parametrize(
    ("signature", "counts"),
    [
        ("a, b", {2}),
        ("a, b=1", {1, 2}),
        ("a, /, b", {2}),
        ("*a", {0, 1, 2, 3}),
        ("a, *, b", set()),
        ("a, *, b=1", {1}),
        ("a, **b", {1}),
    ],
)
def test_how_many_arguments_a_function_takes_by_position(signature: str, counts: set[int]) -> None:
    function = code_parts.functions(ast.parse(f"def f({signature}): ..."))["f"]

    assert {count for count in range(4) if function.takes(count)} == counts


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b, c as d\ndef f():\n    from e.f import g\nfrom . import h\n"

    assert code_parts.imported(source) == ("a", "c", "e")
    assert code_parts.relative_imports(source) == (4,)
