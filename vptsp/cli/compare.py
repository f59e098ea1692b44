"""``vptsp compare``: the table of runs, the differences that hold, and both as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vptsp.cli import layout, suggestions

if TYPE_CHECKING:
    import pandas as pd

    from vptsp.analysis.comparison import Comparison


@click.command()
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN|FOLDER...",
    shell_complete=suggestions.runs,
)
@click.option("--reference", metavar="EXPERIMENT", help="What others are compared with; default: best by validation.")
@click.option("--runs", "by_run", is_flag=True, help="A row per run instead of one per experiment.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help="Write the table: .csv .parquet .md .tex")
def command(paths: tuple[Path, ...], reference: str | None, by_run: bool, to: Path | None) -> None:
    """Compare runs, folders of runs, sweeps, ledgers: differing settings first, spread over seeds, paired bootstrap."""
    from vptsp.analysis.compared_run import find_runs

    runs = find_runs(paths)

    from vptsp.analysis.comparison import Comparison  # imports torch and pandas
    from vptsp.reports.tables import write_table

    comparison = Comparison(runs)
    table = comparison.runs() if by_run else comparison.table()
    if to:
        click.echo(write_table(table, to))
        return
    for line in _lines(_short(comparison, table, by_run)):
        click.echo(line)
    for name, experiment in comparison.experiments.items():
        for said in experiment.repetitions:
            click.echo(f"{name}: {said}")
    if by_run or len(table) < 2 or not table["done"].any():
        return
    against = comparison.reference(reference)
    click.echo(f"\n{comparison.measure} minus that of {against}: paired bootstrap over test classes")
    found = comparison.differences(against).drop(columns="share_not_above")
    known = found.notna()
    told = found.map(lambda value: f"{value:+.4f}" if isinstance(value, float) else value)
    for line in _lines(told.astype(object).where(known, "-")):
        click.echo(line)


def _lines(table: pd.DataFrame) -> list[str]:
    """The table, or where a terminal is too narrow for it a paragraph for each row."""
    whole: list[str] = table.to_string(index=False).splitlines()
    if not sys.stdout.isatty() or max(map(len, whole)) <= layout.columns():
        return whole
    first, *others = [name for name in table.columns if name]
    lines = []
    for row in table.to_dict("records"):
        said = " · ".join(f"{name} {row[name]}" for name in others if str(row[name]) not in ("", "-", "–"))
        lines += [layout.name(f"{row.get('', '')} {first} {row[first]}".strip()), layout.paragraph(said)]
    return lines


def _short(comparison: Comparison, table: pd.DataFrame, by_run: bool) -> pd.DataFrame:
    """What fits a terminal: what runs differ in, how they stand, the task's two metrics; --to writes all of it."""
    import pandas as pd

    from vptsp.analysis.wording import METRIC_TITLES, cell, records, with_spread

    names = comparison.headings + (["seed"] if by_run else [])
    lines = []
    for row in records(table):
        line = {"": "*" if row["best"] else ""} | {name: cell(row[name]) for name in names}
        line |= {"state": row["state"]} if by_run else {"state": row["states"], "seeds": row["seeds"]}
        line |= {"validation %": with_spread(row, "validation")}
        line |= {f"{title} %": with_spread(row, name) for name, title in METRIC_TITLES.items() if name in table}
        lines.append(line | {"trained": cell(row["trained"]), "error": str(row["error"])[:60]})
    short = pd.DataFrame(lines)
    return short.loc[:, (short != "").any()]
