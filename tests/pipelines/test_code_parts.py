"""What a source defines and uses, and which part of it some functions need."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

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
HOOKS = ("prepare", "fit")
NAMES = st.sampled_from("ABCD")
STATEMENTS = (
    *("{a} = [1]", "{a} = {b} = [2]", "{a} = [*{b}, 3]", "{a} += {b}", "{a}: list = [4]", "{a}[0] = 5"),
    *("{a} = [6]; {b} = [7]", "{a} = ['\f\x85\u2028', '''\n# {b}\n# ''']", "# {a}", "\f", "", "\n"),
    *("def {a}():\n    # {b}\n    return {b}", "if {b}:\n    {a} = [8]", "{a} = {b}; \\\n{b} = [9]"),
    *("class {a}:\n    x = {b}", "import json as {a}", "{a} = list('''\n# {b}'''); {b} = [10]"),
    *("for {a} in [{b}]:\n    pass", "del {a}", "{a} = ({b} := [11])"),
)


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
    "source",
    [
        'X = ["a"]\nX += ["b"]\ndef prepare(f, c):\n    return 1\ndef fit(t, c):\n    return X\n',
        "N = 0\ndef prepare(f, c):\n    global N\n    N += 1\n    return N\ndef fit(t, c):\n    return N\n",
        "X = (Y := 2)\ndef prepare(f, c):\n    return Y\ndef fit(t, c):\n    return X\n",
        "\f\nX = 3\ndef fit(t, c):\n    return 2\ndef prepare(f, c):\n    return X\n",
        "X = '\x85\u2028'\ndef fit(t, c):\n    return 2\n\ndef prepare(f, c):\n    return X\n",
        'X = """\n# heading"""\ndef fit(t, c):\n    return 2\ndef prepare(f, c):\n    return X\n',
        'X = """\n# heading\n"""\n# fits\ndef fit(t, c):\n    return 2\ndef prepare(f, c):\n    return X\n',
        "X = 3\r\n\r\ndef fit(t, c):\r\n    return 2\r\ndef prepare(f, c):\r\n    return X\r\n",
        "X = 3\r\rdef fit(t, c):\r    return 2\rdef prepare(f, c):\r    return X\r",
    ],
)
def test_a_part_does_what_the_whole_file_does(source: str) -> None:
    part = code_parts.keep(source, ["prepare"], HOOKS)

    assert called(part) == called(source)
    assert "def fit" not in part


def test_a_source_out_of_which_nothing_can_be_cut_stays_whole() -> None:
    source = "def prepare(f, c): ...\nX = 3; \\\nY = 4\ndef fit(t, c):\n    return Y\n"

    assert code_parts.keep(source, ["prepare"], HOOKS) == source


def called(source: str) -> Any:
    names: dict[str, Any] = {}
    exec(source, names)
    return names["prepare"](None, None)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Return a module with two hooks among statements, which may raise when it is imported."""
    filled = st.builds(lambda text, a, b: text.format(a=a, b=b), st.sampled_from(STATEMENTS), NAMES, NAMES)
    body = ["A = [0]", "B = [0]", *draw(st.lists(filled, max_size=8))]
    for hook in HOOKS:
        used = f"({draw(NAMES)}, {draw(NAMES)})"
        text = f"# {hook}\ndef {hook}(f, c):\n    return [getattr(x, '__name__', x) for x in {used}]"
        body.insert(draw(st.integers(0, len(body))), text)
    return "\n".join(body) + "\n"


@settings(max_examples=200)
@given(sources())
def test_the_part_of_any_module_that_runs_does_what_the_module_does(source: str) -> None:
    try:
        expected = called(source)
    except (NameError, TypeError):
        assume(False)

    assert called(code_parts.keep(source, ["prepare"], HOOKS)) == expected


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
