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

ID_KEY = "t.id"
POSITION_KEY = "CAST(p.n AS VARCHAR)"
"""What is hashed of a row: its id, or without one its position within its model."""


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


def bucket(holdout: Holdout, key: str) -> str:
    """Return the SQL expression of the bucket of a row's hash: the first BUCKET_BITS bits of md5 of seed and key."""
    # the number holds the hash's first byte lowest; a number of 16 bits is quicker to take apart than one of 128
    number = f"CAST(md5_number({_hashed(holdout.seed, key)}) & 65535 AS INTEGER)"
    return f"CAST(({number} & 255) << 4 | ({number} >> 12) AS USMALLINT)"


def statement(holdout: Holdout, key: str) -> str:
    """Return the statement that makes table `held` (r) of the rows held out, out of `place`, `sizes` (m, k) and `t`.

    `key` is what is hashed of a row: its id `t.id`, or text of its position `p.n`. `place` (r, m) then has the column
    b, the row's `bucket`. `t` has the column `part` where the method needs one: the group as text, or the time.
    """
    if holdout.method == GROUP:
        return _by_group(holdout.seed)
    if holdout.method == TIME:
        return _BY_TIME
    return _by_hash(holdout.seed, key)


def _hashed(seed: int, key: str) -> str:
    return f"{cells.literal(str(seed))} || {key}"


def _by_hash(seed: int, key: str) -> str:
    """Take the rows of lowest hash: those of lower buckets than the one in which the size is reached, and some of it.

    Only the rows of one bucket per model are sorted.
    """
    return f"""CREATE TABLE held AS
        WITH counted AS (
            SELECT m, b, count(*) AS n FROM place GROUP BY ALL
        ), running AS (
            SELECT m, b, n, sum(n) OVER (PARTITION BY m ORDER BY b) - n AS taken FROM counted
        ), cut AS (
            SELECT m, b, k - taken AS missing FROM running JOIN sizes USING (m) WHERE taken < k AND taken + n >= k
        ), ranked AS (
            SELECT p.r, cut.missing,
                   row_number() OVER (PARTITION BY p.m ORDER BY md5({_hashed(seed, key)}), p.r) AS position
            FROM place p JOIN cut ON p.m = cut.m AND p.b = cut.b JOIN t ON t.rowid = p.r
        )
        SELECT p.r FROM place p JOIN cut ON p.m = cut.m WHERE p.b < cut.b
        UNION ALL SELECT r FROM ranked WHERE position <= missing"""  # noqa: S608 - own names


_BY_TIME = """CREATE TABLE held AS
    SELECT r FROM (
        SELECT p.r, s.k, row_number() OVER (PARTITION BY p.m ORDER BY t.part DESC NULLS LAST, p.r DESC) AS position
        FROM place p JOIN t ON t.rowid = p.r JOIN sizes s ON s.m = p.m
    ) WHERE position <= k"""


def _by_group(seed: int) -> str:
    """Take whole groups in the order of their hashes until there are enough rows, but leave one group at least."""
    return f"""CREATE TABLE held AS
        WITH sized AS (
            SELECT p.m, t.part, count(*) AS n FROM place p JOIN t ON t.rowid = p.r GROUP BY ALL
        ), hashed AS (
            SELECT m, part, n, md5({cells.literal(str(seed))} || coalesce('=' || part, '')) AS hash FROM sized
        ), ranked AS (
            SELECT m, part, sum(n) OVER before - n AS taken, row_number() OVER before AS position,
                   count(*) OVER (PARTITION BY m) AS all_groups
            FROM hashed WINDOW before AS (PARTITION BY m ORDER BY hash ROWS UNBOUNDED PRECEDING)
        )
        SELECT p.r
        FROM place p JOIN t ON t.rowid = p.r JOIN sizes s ON s.m = p.m
        JOIN ranked g ON g.m = p.m AND g.part IS NOT DISTINCT FROM t.part
        WHERE g.taken < s.k AND g.position < g.all_groups"""  # noqa: S608 - own names
