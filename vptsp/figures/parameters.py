"""What a model's parts count, beside their formulas, as a table."""

from __future__ import annotations

from vptsp.analysis.parameter_formulas import PartCount
from vptsp.figures.html import html_table


def parts_table(tables: dict[str, list[PartCount]]) -> str:
    """HTML: parts as rows; for each named model what it has and whether the formula agrees, and the sums below."""
    names = list(dict.fromkeys((row.part, row.formula) for rows in tables.values() for row in rows))
    columns = [{row.part: row for row in rows} for rows in tables.values()]
    body = [[part, formula, *(_count(column.get(part)) for column in columns)] for part, formula in names]
    sums = [f"{sum(row.counted for row in rows):,}" for rows in tables.values()]
    caption = "✓: the formula gives exactly the number of parameters of the model."
    return html_table(["part", "formula", *tables], [*body, ["trained", "", *sums]], caption, strong=len(body))


def _count(row: PartCount | None) -> str:
    if row is None:
        return ""
    return f"{row.counted:,} " + ("✓" if row.value == row.counted else f"✗ ({row.value:,})")
