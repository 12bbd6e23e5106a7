from __future__ import annotations

from steps.wording import Wording


def test_a_sentence_is_its_own_text_until_there_is_another() -> None:
    assert Wording()("{count} rows", count=3) == "3 rows"
    japanese = Wording("ja", {"{count} rows": "{count} 行"})
    assert japanese("{count} rows", count="{x}") == "{x} 行"
    assert japanese("none") == "none"
