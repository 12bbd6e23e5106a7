from __future__ import annotations

import json

import pytest

from steps import embedding

HOSTILE = "</script><!--<script>\u2028\u2029&"


def test_no_text_ends_the_element_that_holds_it() -> None:
    text = embedding.to_script({HOSTILE: [HOSTILE]})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {HOSTILE: [HOSTILE]}


@pytest.mark.parametrize("before", ["null", embedding.to_script({"old": HOSTILE})])
def test_a_slot_is_filled_and_filled_again(before: str) -> None:
    page = f"<p>a</p>{embedding.slot('x')}{before}</script>{embedding.slot('y')}1</script>"
    filled = embedding.fill(page, "x", {"new": HOSTILE})
    assert filled is not None
    assert filled == page.replace(before, embedding.to_script({"new": HOSTILE}), 1)
    assert embedding.fill(filled, "x", {"new": HOSTILE}) == filled


def test_a_page_without_the_slot_is_left_alone() -> None:
    assert embedding.fill("<p>x</p>", "x", 1) is None
    assert embedding.fill(embedding.slot("x"), "x", 1) is None
