"""Figures of draws: ranks, energy, growth of the effective sample size, Pareto k, replications, power-scaling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.bayes.importance import PARETO_K_LIMIT
from igfmeta.bayes.mcmc.diagnostics import BFMI_LIMIT, ESS_LIMIT
from igfmeta.bayes.mcmc.trust import SENSITIVE, Trust
from igfmeta.errors import NothingToPool, check_choice, listed
from igfmeta.numerics import Floats
from igfmeta.plots.canvas import BLUE, GREY, INK, SIZE, SMALL
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Panels of a figure with one for each parameter, and beside each other; their size in points.
PANELS, ACROSS, PANEL_WIDTH, PANEL_HEIGHT = 12, 3, 170.0, 110.0

#: Chains are told apart by colour and by dashes.
CHAINS = (("#1f4e79", "-"), ("#c55a11", (0, (5, 2))), ("#3a7d44", (0, (1, 1.5))), ("#7b3f8c", (0, (5, 1, 1, 1))))

#: Points on the growth of the effective sample size.
GROWTH = 12

ROW = 14.0


def figures(trust: Trust, names: Sequence[str] | None = None) -> list[tuple[str, Figure]]:
    """Return the figures that are asked for, or all that the draws allow, with their names."""
    chosen = [check_choice("--plot", name, tuple(_FIGURES)) for name in names or _FIGURES]
    possible = {"loo": trust.left_out is not None, "ppc": bool(trust.replicated), "psense": _scaled(trust)}
    impossible = [name for name in chosen if not possible.get(name, True)]
    if names and impossible:
        raise NothingToPool(f"The draws do not hold what {listed(impossible)} needs. {' '.join(trust.missing)}")
    return [(name, _FIGURES[name](trust)) for name in chosen if name not in impossible]


def _scaled(trust: Trust) -> bool:
    return all(line.prior_sensitivity is not None and line.likelihood_sensitivity is not None for line in trust.lines)


def _canvas(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), facecolor="white")


def _shown(trust: Trust) -> tuple[list[tuple[str, Floats]], str]:
    """Return the parameters that get a panel, and a note on those that do not."""
    every = list(trust.draws.items())
    rest = len(every) - PANELS
    return every[:PANELS], f"{rest} more: --variable chooses." if rest > 0 else ""


def _grid(trust: Trust, title: str, note: str, draw: Callable[[Any, Floats], None]) -> Figure:
    """Return small panels, one for each parameter."""
    import matplotlib as mpl

    shown, more = _shown(trust)
    rows = math.ceil(len(shown) / ACROSS)
    across = min(ACROSS, len(shown))
    width = max(across * PANEL_WIDTH + 20, text_width(title, SIZE + 1, True) + 30, text_width(note, SMALL) + 30)
    height = rows * PANEL_HEIGHT + 58
    with mpl.rc_context(STYLE):
        drawn = _canvas(width, height)
        for i, (name, values) in enumerate(shown):
            row, column = divmod(i, ACROSS)
            left, bottom = 40 + column * PANEL_WIDTH, height - 48 - (row + 1) * PANEL_HEIGHT + 30
            axes = drawn.add_axes(
                (left / width, bottom / height, (PANEL_WIDTH - 52) / width, (PANEL_HEIGHT - 46) / height)
            )
            draw(axes, values)
            axes.set_title(_cut(name, PANEL_WIDTH - 30), size=SMALL + 0.5, color=INK, pad=3)
            _tidy(axes)
        _heading(drawn, width, height, title, " ".join(part for part in (note, more) if part))
    return drawn


def _cut(name: str, room: float) -> str:
    text = plain(name)
    while text_width(text, SMALL + 0.5) > room and len(text) > 8:
        text = text[:-2].rstrip() + "…"
    return text


def _tidy(axes: Any) -> None:
    axes.tick_params(labelsize=SMALL - 0.5, length=2.5, width=0.6, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.6)


def _heading(drawn: Any, width: float, height: float, title: str, note: str) -> None:
    drawn.text(14 / width, 1 - 16 / height, title, size=SIZE + 1, weight="bold", va="center", color=INK)
    drawn.text(14 / width, 1 - 31 / height, note, size=SMALL, va="center", color=GREY)


def _chain(number: int) -> dict[str, Any]:
    colour, dashes = CHAINS[number % len(CHAINS)]
    return {"color": colour, "ls": dashes, "lw": 1.0}


def rank_figure(trust: Trust) -> Figure:
    """Return, for each chain, how far the distribution function of its ranks lies from a uniform one.

    Lines stay within the grey band (95 %, each point by itself, for independent draws) where the chains agree
    (Säilynoja, Bürkner & Vehtari 2022, Stat Comput 32:32).
    """

    def draw(axes: Any, values: Floats) -> None:
        chains, n = values.shape
        total = chains * n
        ranks = np.empty(total)
        ranks[np.argsort(values.ravel(), kind="stable")] = np.arange(1, total + 1)
        grid = np.linspace(0, 1, 101)
        band = 1.96 * np.sqrt(grid * (1 - grid) / n * (1 - 1 / chains))
        axes.fill_between(grid, -band, band, color="#e4e4e4", lw=0)
        for c, own in enumerate(ranks.reshape(chains, n) / total):
            axes.plot(grid, np.searchsorted(np.sort(own), grid, side="right") / n - grid, **_chain(c))
        axes.set_xlim(0, 1)

    note = "Each chain's ranks among all draws: distance from uniform. Grey: 95 % of independent draws, point by point."
    return _grid(trust, "Ranks", note, draw)


def ess_figure(trust: Trust) -> Figure:
    """Return how the effective sample size grows with the draws: a straight line where all is well."""
    import arviz as az
    import xarray as xr

    def draw(axes: Any, values: Floats) -> None:
        ends = np.unique(np.linspace(values.shape[1] / GROWTH, values.shape[1], GROWTH).astype(int))
        for method, style in (("bulk", _chain(0)), ("tail", _chain(1))):
            parts = [xr.Dataset({"x": (("chain", "draw"), values[:, :end])}) for end in ends]
            sizes = [float(az.ess(part, method=method)["x"]) for part in parts]
            axes.plot(ends * values.shape[0], sizes, marker="o", ms=2.2, **style)
        axes.axhline(ESS_LIMIT, color=INK, lw=0.7, ls=(0, (1, 2)))
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, values.size * 1.03)
        axes.set_xticks([0, values.size // 2, values.size])

    note = f"By number of draws; full line: bulk, dashed: tail, dotted: {ESS_LIMIT}."
    return _grid(trust, "Effective sample size", note, draw)


def energy_figure(trust: Trust) -> Figure:
    """Return the energy and its changes: the changes should be as wide (Betancourt 2016, arXiv:1604.00695)."""
    import matplotlib as mpl

    width, height = 330.0, 210.0
    note = f"Smallest fraction of missing information {trust.diagnostics.bfmi:.2f} (limit {BFMI_LIMIT})."
    with mpl.rc_context(STYLE):
        drawn = _canvas(width, height)
        axes = drawn.add_axes((40 / width, 34 / height, 272 / width, 122 / height))
        energy, change = trust.energy - trust.energy.mean(), np.diff(trust.energy, axis=1)
        low, high = np.quantile(np.concatenate([energy.ravel(), change.ravel()]), (0.0005, 0.9995))
        edges = np.linspace(float(low), float(high), 41).tolist()
        axes.hist(energy.ravel(), edges, density=True, color="#c9d8e8", label="energy")
        axes.hist(change.ravel(), edges, density=True, histtype="step", color=INK, lw=1.2, label="change of energy")
        axes.legend(frameon=False, fontsize=SMALL, loc="upper right")
        axes.set_yticks([])
        _tidy(axes)
        axes.set_xlabel("Energy, from its mean", size=SMALL + 0.5)
        _heading(drawn, width, height, "Energy", note)
    return drawn


def _rows(title: str, note: str, labels: Sequence[str], axis: str, draw: Callable[[Any], None]) -> Figure:
    """Return one axis with a row for each label."""
    import matplotlib as mpl

    room = max(text_width(plain(label), SMALL) for label in labels) + 26
    width = max(room + 300.0, text_width(title, SIZE + 1, True) + 30, text_width(note, SMALL) + 30)
    height = 92.0 + ROW * len(labels)
    with mpl.rc_context(STYLE):
        drawn = _canvas(width, height)
        axes = drawn.add_axes((room / width, 36 / height, (width - room - 24) / width, (height - 36 - 44) / height))
        draw(axes)
        axes.set_yticks(range(len(labels)), [plain(label) for label in labels])
        axes.set_ylim(len(labels) - 0.4, -0.6)
        _tidy(axes)
        axes.tick_params(axis="y", length=0, labelsize=SMALL)
        axes.set_xlabel(axis, size=SMALL + 0.5)
        _heading(drawn, width, height, title, note)
    return drawn


def loo_figure(trust: Trust) -> Figure:
    """Return Pareto k of each trial that is left out."""
    found = trust.left_out
    assert found is not None

    def draw(axes: Any) -> None:
        k = np.array(found.pareto_k)
        axes.axvline(PARETO_K_LIMIT, color=INK, lw=0.8, ls=(0, (4, 2)))
        axes.axvline(0, color="#cccccc", lw=0.6)
        bad = ~(k <= PARETO_K_LIMIT)
        places = np.arange(len(k))
        axes.plot(k[~bad], places[~bad], "o", ms=4, color=BLUE)
        axes.plot(k[bad], places[bad], "X", ms=6, color="#a01010")
        axes.set_xlim(min(-0.25, float(k.min()) - 0.05), max(1.0, float(k.max()) + 0.05))

    note = f"Above {PARETO_K_LIMIT} (dashed) leaving that trial out is not reliable."
    return _rows("Leave one out", note, found.units, "Pareto k", draw)


def ppc_figure(trust: Trust) -> Figure:
    """Return each observation on the interval of its replications."""
    several = len({r.variable for r in trust.replicated}) > 1
    labels = [f"{r.variable}, {r.name}" if several else r.name for r in trust.replicated]

    def draw(axes: Any) -> None:
        for i, r in enumerate(trust.replicated):
            inside = r.lower <= r.observed <= r.upper
            axes.plot([r.lower, r.upper], [i, i], color="#9db8d2", lw=4, solid_capstyle="butt", zorder=1)
            axes.plot([r.median] * 2, [i - 0.25, i + 0.25], color=BLUE, lw=1.2, zorder=2)
            mark = {"marker": "o", "ms": 4.2, "color": INK} if inside else {"marker": "X", "ms": 6, "color": "#a01010"}
            axes.plot([r.observed], [i], zorder=3, **mark)

    note = f"Dot: observed; bar: {100 * trust.level:g} % of replications; cross: outside."
    return _rows("Observed and replicated", note, labels, "On the scale of the data", draw)


def psense_figure(trust: Trust) -> Figure:
    """Return the sensitivity of each parameter to prior and data by power-scaling."""
    lines = trust.lines[: 3 * PANELS]

    def draw(axes: Any) -> None:
        axes.axvline(SENSITIVE, color=INK, lw=0.8, ls=(0, (4, 2)))
        for i, line in enumerate(lines):
            axes.plot([line.prior_sensitivity, line.likelihood_sensitivity], [i, i], color="#cccccc", lw=1, zorder=1)
        axes.plot([x.prior_sensitivity for x in lines], range(len(lines)), "o", ms=4.2, mfc="white", mec=INK,
                  label="prior")  # fmt: skip
        axes.plot([x.likelihood_sensitivity for x in lines], range(len(lines)), "o", ms=4.2, color=BLUE, label="data")
        axes.set_xlim(left=0)

    note = f"Ring: prior, dot: data; {SENSITIVE} (dashed) and more counts as sensitive."
    axis = "Change per unit of the log power"
    return _rows("Sensitivity to prior and data", note, [line.name for line in lines], axis, draw)


_FIGURES: dict[str, Callable[[Trust], Figure]] = {
    "rank": rank_figure,
    "energy": energy_figure,
    "ess": ess_figure,
    "loo": loo_figure,
    "ppc": ppc_figure,
    "psense": psense_figure,
}
