from __future__ import annotations

from steps import report_lineage


def test_settings_become_lines_whose_keys_are_joined_by_dots() -> None:
    found = dict(
        report_lineage.flatten(
            {"gate": {"mae": 20.0, "on": True}, "globs": ["a", "b"], "models": [{"name": "x"}], "empty": {}, "no": None}
        )
    )
    assert found == {
        "gate.mae": "20.0",
        "gate.on": "true",
        "globs": "a, b",
        "models[0].name": "x",
        "empty": "–",
        "no": "–",
    }


def test_the_size_of_a_file_is_told_where_it_is_known() -> None:
    files = [{"key": "a.csv", "rows": 3, "bytes": 10}, {"key": "b.csv", "rows": 4}]
    assert report_lineage.data_files({"files": files}) == [("a.csv", 3, 10), ("b.csv", 4, None)]
    assert report_lineage.data_files({}) == []
