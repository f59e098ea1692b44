"""The still form of ProxySandbox: the points with their arrows as a picture, the numbers as a table."""

from __future__ import annotations

import base64
import html
import io
import math
import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from vptsp.figures.signs_and_colours import ACCENT, LETTERED_LIGHT, PROXIES, SOFT, TEXT
from vptsp.text import plain, safe
from vptsp_widgets.sandbox.gradients import fused_proxies, loss_and_gradients
from vptsp_widgets.sandbox.state import LETTERS, LOSSES, State

_INK, _SOFT, _ACCENT = TEXT.light, SOFT.light, ACCENT.light
_FUSED = PROXIES["fused"]
_LOOKS = {  # marker, size, filled, what the legend says
    "samples": ("o", 13, True, "sample"),
    "proxies": (_FUSED.matplotlib, 14, _FUSED.filled, "proxy"),  # the loss sees them, as it sees q where O and G mix
    **{kind: (sign.matplotlib, 15, sign.filled, sign.title) for kind, sign in PROXIES.items()},
}
_FURTHEST = 1.3  # longer learned proxies are drawn at this length
_ARROW = 0.45  # length of the longest arrow, the radius being 1
_CELL = "padding:2px 14px 2px 0;text-align:"


def sandbox_still(state: State, story: dict[str, Any]) -> str:
    """HTML of the state: story, picture with alternative text, and per class the loss's gradients and cosines."""
    loss, gradients = loss_and_gradients(state)
    picture = base64.b64encode(_picture(state, gradients, story.get("orthant", False))).decode()
    form = "circle" if state["samples"].shape[1] == 2 else "sphere"
    alt = (
        f"{len(state['samples'])} samples and {len(state['proxies'])} proxies on the {form}, "
        f"with the negative gradients of {LOSSES[state['loss']]} as arrows; loss {loss:.4g}"
    )
    return (
        f'<figure style="margin:0"><p style="font-size:14px;max-width:66em;margin:0 0 6px">'
        f"<b>{html.escape(story['title'])}.</b> {html.escape(story['caption'])}</p>"
        f'<img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}" '
        f'style="max-width:100%;width:620px;border-radius:6px">'
        f'<figcaption style="font-size:13px;max-width:66em">{html.escape(_settings(state))}. Loss {loss:.4g}. '
        "Arrows point along −∂L/∂point; losses normalise their points, so they are tangent parts."
        f"</figcaption>{_table(state, gradients)}</figure>"
    )


def _settings(state: State) -> str:
    parts = [LOSSES[state["loss"]], f"scale {state['scale']:g}"]
    if state["loss"].endswith("anchor"):
        parts.append(f"margin {state['margin']:g}")
    if state["loss"] == "proxy_anchor":
        parts.append("positive mean over " + ("all classes" if state["positive_mean"] == "all" else "classes present"))
    if state["semantic"] is not None:
        parts.append(f"alpha {state['alpha']:g}")
    return ", ".join(parts)


def _table(state: State, gradients: dict[str, np.ndarray]) -> str:
    samples, proxies = (
        rows / np.maximum(_lengths(rows)[:, None], 1e-12) for rows in (state["samples"], fused_proxies(state))
    )
    cosines, sample_sizes, sizes = samples @ proxies.T, _lengths(gradients["samples"]), _lengths(gradients["fused"])
    body = ""
    for row, name in enumerate(state["class_names"]):
        own = state["labels"] == row
        cells = [_cosine(cosines[own, row].mean()), f"{sample_sizes[own].max():.3g}"] if own.any() else ["none"] * 2
        nearest = _cosine(cosines[~own, row].max()) if (~own).any() else "none"
        values = [str(int(own.sum())), cells[0], nearest, f"{sizes[row]:.3g}", cells[1]]
        body += f'<tr><td style="{_CELL}left">{LETTERS[row]} · {safe(name, 40)}</td>' + "".join(
            f'<td style="{_CELL}right;font-variant-numeric:tabular-nums">{value}</td>' for value in values
        )
        body += "</tr>"
    proxy = "q" if state["semantic"] is not None else "proxy"
    heads = ["samples", f"mean cosine with own {proxy}", "largest cosine of others"]
    heads += [f"gradient of {proxy}", "largest gradient of a sample"]
    head = f'<th style="{_CELL}left">class</th>' + "".join(f'<th style="{_CELL}right">{text}</th>' for text in heads)
    return (
        '<table style="font-size:13px;border-collapse:collapse;margin-top:6px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cosine(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


# --- the picture ------------------------------------------------------------------------------------
def _picture(state: State, gradients: dict[str, np.ndarray], orthant: bool) -> bytes:
    figure = Figure(figsize=(6.2, 6.4), dpi=144, facecolor="white")
    FigureCanvasAgg(figure)
    axis = figure.add_axes((0.01, 0.09, 0.98, 0.9))
    axis.set(aspect="equal", xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
    axis.set_axis_off()
    _ground(axis, state)
    if orthant and state["turn"] is not None:
        _shade_orthant(axis, state)
    shown = _shown(state)
    groups = ["samples", *(["fused", "semantic", "learned"] if state["semantic"] is not None else ["proxies"])]
    by = {name: gradients[{"learned": "proxies"}.get(name, name)] for name in groups}
    longest = max(float(_lengths(rows).max()) for rows in by.values())
    for row in range(len(state["proxies"])):
        _spoke(axis, state, shown, row)
    for name in reversed(groups):
        labels = state["labels"] if name == "samples" else range(len(state["proxies"]))
        for at, slope, label in zip(shown[name], by[name], labels, strict=True):
            _point(axis, state, name, at, slope * (_ARROW / longest) if longest > 1e-7 else None, int(label))
    _legend(figure, groups, longest)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _shown(state: State) -> dict[str, np.ndarray]:
    """Where each group is drawn: unit vectors, and learned proxies at their length as far as it goes."""
    fused = fused_proxies(state)
    lengths = _lengths(state["proxies"])[:, None]
    return {
        "samples": state["samples"],
        "proxies": state["proxies"],
        "fused": _unit(fused),
        "semantic": state["semantic"],
        "learned": state["proxies"] * np.minimum(1, _FURTHEST / lengths),
    }


def _project(state: State, at: np.ndarray) -> tuple[float, float, bool]:
    """Place in the picture, and whether it is on the far side of the sphere."""
    if state["turn"] is None:
        return float(at[0]), float(at[1]), False
    right, up, towards = np.array(state["turn"]) @ at
    return float(right), float(up), bool(towards < -0.02)


def _ground(axis: Axes, state: State) -> None:
    sphere = state["turn"] is not None
    axis.add_patch(Circle((0, 0), 1, facecolor="#e9edf3" if sphere else "none", edgecolor=_SOFT, lw=1.2, zorder=0))
    if not sphere:
        for degrees in range(0, 360, 90):
            x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            axis.text(0.9 * x, 0.9 * y, f"{degrees}°", ha="center", va="center", fontsize=8, color=_SOFT, zorder=1)
        return
    angles = np.linspace(0, 2 * np.pi, 91)
    across, along = np.cos(angles), np.sin(angles)
    circles = [(across * np.cos(turn), across * np.sin(turn), along) for turn in np.deg2rad(np.arange(0, 180, 30))]
    for high in np.deg2rad([-60, -30, 0, 30, 60]):
        circles.append((np.cos(high) * across, np.cos(high) * along, np.full(91, np.sin(high))))
    for circle in circles:
        right, up, towards = np.array(state["turn"]) @ np.stack(circle)
        axis.plot(np.where(towards >= 0, right, np.nan), up, color=_SOFT, alpha=0.25, lw=0.7, zorder=0.5)
    for name, unit in zip(("e₁", "e₂", "e₃"), np.eye(3), strict=True):
        x, y, behind = _project(state, 1.1 * unit)
        if not behind:
            axis.text(x, y, name, ha="center", va="center", fontsize=8, color=_SOFT, zorder=1)


def _shade_orthant(axis: Axes, state: State) -> None:
    """The directions without a negative coordinate."""
    angles = np.linspace(0, np.pi / 2, 24)[:-1, None]
    corners = np.eye(3)
    arcs = [np.cos(angles) * corners[k] + np.sin(angles) * corners[(k + 1) % 3] for k in range(3)]
    right, up, _ = np.array(state["turn"]) @ np.concatenate(arcs).T
    axis.fill(right, up, facecolor=f"{_ACCENT}22", edgecolor=_ACCENT, ls="--", lw=0.8, zorder=0.6)


def _spoke(axis: Axes, state: State, shown: dict[str, np.ndarray], row: int) -> None:
    """From the origin to the proxy that the loss sees, and the line on which O and G mix."""
    colour = LETTERED_LIGHT[row]
    x, y, behind = _project(state, shown["proxies" if state["semantic"] is None else "fused"][row])
    axis.plot([0, x], [0, y], color=colour, lw=0.9, alpha=0.2 if behind else 0.55, zorder=1)
    if state["semantic"] is not None:
        ends = [_project(state, shown[name][row]) for name in ("learned", "semantic")]
        axis.plot([ends[0][0], ends[1][0]], [ends[0][1], ends[1][1]], ":", color=colour, lw=1.4, zorder=1)


def _point(axis: Axes, state: State, name: str, at: np.ndarray, slope: np.ndarray | None, row: int) -> None:
    marker, size, filled, _ = _LOOKS[name]
    colour, (x, y, behind) = LETTERED_LIGHT[row], _project(state, at)
    alpha, order = (0.35, 2) if behind else (1.0, 4)
    if slope is not None:
        # on the circle just outside its point: along the circle it would lie under the neighbours
        out = 0.0 if state["turn"] is not None or name == "learned" else 0.065 if name == "samples" else 0.09
        start = at * (1 + out)
        tip_x, tip_y, _ = _project(state, start - slope)
        from_x, from_y, _ = _project(state, start)
        if math.hypot(tip_x - from_x, tip_y - from_y) > 0.03:  # shorter ones would be all head
            style: dict[str, Any] = {"arrowstyle": "-|>,head_length=0.45,head_width=0.22", "shrinkA": 0, "shrinkB": 0}
            style |= {"color": colour, "lw": 1.5, "alpha": alpha}
            axis.annotate("", (tip_x, tip_y), (from_x, from_y), arrowprops=style, zorder=order)
    fill, edge = (colour, "white") if filled else ("white", colour)
    axis.plot(x, y, marker, ms=size, mfc=fill, mec=edge, mew=1.2, alpha=alpha, zorder=order + 1)
    ink: dict[str, Any] = {"color": "white" if filled else colour, "alpha": alpha, "fontsize": 7, "fontweight": "bold"}
    axis.text(x, y - 0.004, LETTERS[row], ha="center", va="center", zorder=order + 2, **ink)


def _legend(figure: Figure, groups: list[str], longest: float) -> None:
    handles = [
        Line2D([], [], ls="", marker=_LOOKS[name][0], ms=9, mfc=_SOFT if _LOOKS[name][2] else "white", mec=_SOFT)
        for name in groups
    ]
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.01, 0.035), "ncols": len(groups)}
    look: dict[str, Any] = {"fontsize": 8, "frameon": False, "labelcolor": _INK}
    room: dict[str, Any] = {"handletextpad": 0.2, "columnspacing": 1.4}
    legend = figure.legend(handles, [_LOOKS[name][3] for name in groups], **place, **look, **room)
    for text in legend.get_texts():
        text.set_parse_math(False)
    said = f"longest arrow: gradient {plain(f'{longest:.3g}')}" if longest > 1e-7 else "all gradients are zero"
    figure.text(0.025, 0.015, said, fontsize=8, color=_INK)


def _lengths(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows, axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Unit rows; zero stays zero, as where O and G cancel out."""
    return rows / np.maximum(_lengths(rows)[:, None], 1e-12)
