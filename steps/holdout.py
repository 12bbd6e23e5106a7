"""Which rows of a model are held out from training, as SQL over the table `place` (r: row, m: model).

Made once per row within its own model, so that one touched segment changes no other segment's split, and the pooled
model holds out the same rows as the segments it learns from. Deterministic: md5 of seed and id, no random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from steps import cells

RANDOM = "random"
TIME = "time"
GROUP = "group"


@dataclass(frozen=True)
class Holdout:
    """How rows are held out: method, fraction of a model's rows, the column of groups or of time, and the seed."""

    method: str
    fraction: float
    seed: int
    column: str | None


def size(rows: int, fraction: float) -> int:
    """Return how many of `rows` rows are held out: at least one, never all, none of a single row."""
    return min(max(1, round(fraction * rows)), rows - 1) if rows else 0


def statement(holdout: Holdout, has_id: bool) -> str:
    """Return the statement that makes table `split` (r, m, h: held out) out of `place`, `sizes` (m, k) and `t`.

    `t` has the columns id, and `part` where the method needs a column: the group as text, or the time.
    """
    if holdout.method == GROUP:
        return _by_group(holdout.seed)
    if holdout.method == TIME:
        rank = "row_number() OVER (PARTITION BY p.m ORDER BY t.part DESC NULLS LAST, p.r DESC)"
    else:
        rank = f"row_number() OVER (PARTITION BY p.m ORDER BY md5({_key(holdout.seed, has_id)}), p.r)"
    return (
        f"CREATE TABLE split AS SELECT p.r, p.m, {rank} <= s.k AS h "  # noqa: S608 - own names
        "FROM place p JOIN t ON t.rowid = p.r JOIN sizes s ON s.m = p.m"
    )


def _key(seed: int, has_id: bool) -> str:
    """Return what is hashed: a row's id, else its position within its model."""
    return f"{cells.literal(str(seed))} || " + ("t.id" if has_id else "CAST(p.n AS VARCHAR)")


def _by_group(seed: int) -> str:
    """Take whole groups in the order of their hashes until there are enough rows, but leave one group at least."""
    return f"""CREATE TABLE split AS
        WITH sized AS (
            SELECT p.m, t.part, count(*) AS n FROM place p JOIN t ON t.rowid = p.r GROUP BY ALL
        ), hashed AS (
            SELECT m, part, n, md5({cells.literal(str(seed))} || coalesce('=' || part, '')) AS hash FROM sized
        ), ranked AS (
            SELECT m, part, sum(n) OVER before - n AS taken, row_number() OVER before AS position,
                   count(*) OVER (PARTITION BY m) AS all_groups
            FROM hashed WINDOW before AS (PARTITION BY m ORDER BY hash ROWS UNBOUNDED PRECEDING)
        )
        SELECT p.r, p.m, g.taken < s.k AND g.position < g.all_groups AS h
        FROM place p JOIN t ON t.rowid = p.r JOIN sizes s ON s.m = p.m
        JOIN ranked g ON g.m = p.m AND g.part IS NOT DISTINCT FROM t.part"""  # noqa: S608 - own names
