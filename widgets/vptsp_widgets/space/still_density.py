"""Lines of density on the still form of the map, as ``front/contours.js`` draws them, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from vptsp.analysis.density import FEWEST, SHARES, Density, density, finest_width
from vptsp.figures.signs_and_colours import ACCENT, SOFT, TEXT
from vptsp_widgets.space.data import Column

MOST = 12  # categories, the largest
ONLY_FLAT = "no lines of density, which are of maps in two dimensions"
_FEW_SHARES, _FEW_CELLS = (0.5, 0.9), 128  # where the lines of several lie over each other
_WIDTHS = {0.25: 1.9, 0.5: 1.4, 0.75: 1.0, 0.9: 0.75}  # points


@dataclass(frozen=True)
class Group:
    """Images whose density is drawn, in a colour of their own."""

    name: str
    density: Density
    colour: Any
    dashed: bool = False


def groups_of(
    of: str, points: np.ndarray, lit: np.ndarray, selected: np.ndarray, column: Column, table: np.ndarray | None
) -> tuple[list[Group], str]:
    """Whose density is drawn, and what a caption says of it; of nothing, why.

    ``points`` (N, 2) are places, ``lit`` (N,) bool the images shown in full, ``selected`` (N,) bool those selected,
    ``table`` RGB in 0..1 of the column's categories, none of a column of numbers.
    """
    finest = finest_width(points)
    lit = lit & np.isfinite(points).all(axis=1)
    if of == "shown":
        if lit.sum() < FEWEST:
            return [], _too_few(int(lit.sum()), "shown")
        groups = [Group("images shown", density(points[lit], SHARES, finest), TEXT.light)]
    elif of == "selection":
        ours, rest = points[lit & selected], points[lit & ~selected]
        if len(ours) < FEWEST:
            return [], _too_few(len(ours), "selected")
        groups = [Group("selected", _of_few(ours, finest), ACCENT.light)]
        if len(rest) >= FEWEST:
            groups.append(Group("others", _of_few(rest, finest), SOFT.light, dashed=True))
    else:
        if table is None or column.values is None:
            what = "number" if column.dates is None else "date"
            return [], f"no lines of density: {column.name} is a {what} and has no categories"
        codes = np.where(lit, column.codes, -1)
        counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
        largest = [code for code in np.argsort(-counts, kind="stable")[:MOST] if counts[code] >= FEWEST]
        if not largest:
            return [], f"no lines of density: no category has {FEWEST} images"
        groups = [
            Group(column.values[code], _of_few(points[codes == code], finest), tuple(table[code])) for code in largest
        ]
    return groups, _said(of, groups)


def draw_density(axis: Axes, groups: Sequence[Group]) -> None:
    """Lines around the shares, the first group on top."""
    ends = axis.dataLim.get_points().copy()
    for group in reversed(groups):
        shape = group.density
        levels = sorted(set(shape.levels))
        widths = {level: _WIDTHS[share] for share, level in zip(shape.shares, shape.levels, strict=True)}
        drawn = axis.contour(
            shape.x,
            shape.y,
            shape.values,
            levels=levels,
            colors=[group.colour],
            linewidths=[widths[level] for level in levels],
            linestyles="dashed" if group.dashed else "solid",
            zorder=2,
        )
        drawn.set_path_effects([withStroke(linewidth=max(_WIDTHS.values()) + 1.2, foreground="white")])
    axis.dataLim.set_points(ends)  # the grid goes beyond the images, and the map does not
    axis.autoscale_view()


def legend_of(groups: Sequence[Group]) -> list[Line2D]:
    """The lines with their shares, those of categories in none of their colours."""
    if not groups:
        return []
    shared = len(groups) > 1 and not any(group.dashed for group in groups)
    return [
        Line2D(
            [],
            [],
            color=TEXT.light if shared else group.colour,
            lw=_WIDTHS[share],
            ls="--" if group.dashed else "-",
            label=f"{100 * share:.0f} %" + ("" if len(groups) == 1 or shared else f" of {group.name}"),
        )
        for group in (groups[:1] if shared else groups)
        for share in group.density.shares
    ]


def _of_few(points: np.ndarray, finest: float) -> Density:
    return density(points, _FEW_SHARES, finest, _FEW_CELLS)


def _too_few(number: int, how: str) -> str:
    return f"no lines of density: {number} {'is' if number == 1 else 'are'} {how}, and it takes {FEWEST} or more"


def _said(of: str, groups: Sequence[Group]) -> str:
    shares = [f"{100 * share:.0f}" for share in groups[0].density.shares]
    counted = [f"{group.density.images:,} {group.name}" for group in groups]
    whose = f"images of each of {len(groups)} categories" if of == "categories" else " and of the ".join(counted)
    return f"lines enclose {', '.join(shares[:-1])} and {shares[-1]} % of the {whose}, where the map is densest"
