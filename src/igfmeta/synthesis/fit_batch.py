"""Pools every group of a long table at once, in blocks that depend on the table alone.

A block is a number of consecutive groups, whatever the number of workers; in it, groups of similar size are one batch
of the kernel. So the bits of the answer do not depend on who computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import natural
from igfmeta.errors import IgfmetaError, InputError, Problem, check_choice, check_level
from igfmeta.models import pooling
from igfmeta.models.results import PooledBatch
from igfmeta.numerics import Floats, Mask
from igfmeta.synthesis.inputs import SCALES, Columns, effects_from

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.evidence.stream import GroupedNumbers

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]

#: Groups in a block, and cells (groups times studies) in a batch of the kernel. Other numbers change last digits.
GROUPS, CELLS = 4_096, 1 << 18

#: What a group's row holds from its fit, on the analysis scale; estimates and limits also on the reader's scale.
_AS_THEY_ARE = (
    "se", "p_value", "tau2", "tau2_ci_lower", "tau2_ci_upper", "i2", "h2", "q", "q_p_value"
)  # fmt: skip
_NATURAL = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")


@dataclass(frozen=True)
class Recipe:
    """How each group is pooled: the options of `fit`."""

    columns: Columns
    measure: str | None = None
    scale: str | None = None
    ci_level: float = 0.95
    zero_cells: str = "only0"
    method: str = "REML"
    ci: str = "HK"
    pi: str = "HK"
    tau2_ci: str = "QP"
    level: float = 0.95

    def checked(self) -> Recipe:
        """Return the recipe if its options can be used; each is refused with what is accepted.

        Raises
        ------
        InputError
            Options that are not accepted.
        """
        self.columns.form()
        check_level(self.ci_level)
        if self.scale is not None:
            check_choice("scale", self.scale, SCALES)
        pooling.pool([[0.0, 0.1]], [[0.1, 0.1]], **self.options())
        return self

    def options(self) -> dict[str, Any]:
        """Return the options of the kernel."""
        return {name: getattr(self, name) for name in ("method", "ci", "pi", "tau2_ci", "level")}

    def effects(self, frame: pd.DataFrame) -> Any:
        """Return the effects of some rows."""
        return effects_from(
            frame,
            self.columns,
            measure=self.measure,
            scale=self.scale,  # type: ignore[arg-type]
            ci_level=self.ci_level,
            zero_cells=self.zero_cells,
        )


@dataclass(frozen=True, eq=False)
class Block:
    """Some groups of a table with their rows, the rows of a group together."""

    groups: tuple[str, ...]
    group: Ints
    row: Ints
    numbers: Mapping[str, Floats]
    unreadable: Mapping[int, Problem]

    def frame(self, keep: Mask) -> pd.DataFrame:
        """Return the rows to keep, indexed as a spreadsheet counts."""
        import pandas as pd

        return pd.DataFrame(
            {name: values[keep] for name, values in self.numbers.items()}, index=pd.Index(self.row[keep], name="row")
        )


def blocks(table: GroupedNumbers) -> Iterator[Block]:
    """Yield the groups of a table in their order, a block at a time."""
    order = np.argsort(table.group, kind="stable")
    starts = np.searchsorted(table.group[order], np.arange(len(table.groups) + 1))
    for first in range(0, len(table.groups), GROUPS):
        last = min(first + GROUPS, len(table.groups))
        rows = order[starts[first] : starts[last]]
        yield Block(
            groups=table.groups[first:last],
            group=table.group[rows] - first,
            row=table.row[rows],
            numbers={name: values[rows] for name, values in table.numbers.items()},
            unreadable={i: table.unreadable[first + i] for i in range(last - first) if first + i in table.unreadable},
        )


def fit_batch(table: GroupedNumbers, recipe: Recipe, *, jobs: int = 1) -> Iterator[pd.DataFrame]:
    """Pool every group of a table; the answers come block by block, in the order in which the groups first appear.

    Parameters
    ----------
    table : GroupedNumbers
    recipe : Recipe
    jobs : int
        Workers on joblib's current backend (`igfmeta.parallel.workers`); -1 takes every core.

    Yields
    ------
    DataFrame
        One row per group: k (studies pooled), rows, estimate with its intervals on the reader's scale, mu and se on
        the analysis scale, heterogeneity, `remarks`, and `reason` where the group could not be pooled.

    Raises
    ------
    InputError
        Options that cannot be used, before any group is pooled.
    """
    from joblib import Parallel, delayed

    recipe = recipe.checked()
    if jobs == 0 or jobs < -1:
        raise InputError(f"jobs was {jobs}; accepted is a number of workers from 1, or -1 for every core.")
    parts = blocks(table)
    if jobs == 1:
        yield from (pool_block(block, recipe) for block in parts)
        return
    yield from Parallel(n_jobs=jobs, return_as="generator")(delayed(pool_block)(block, recipe) for block in parts)


def pool_block(block: Block, recipe: Recipe) -> pd.DataFrame:
    """Return one row per group of a block."""
    import pandas as pd

    reasons = {i: str(problem) for i, problem in block.unreadable.items()}
    yi, vi, usable, why = _effects(block, recipe, reasons)
    n = len(block.groups)
    rows, k = np.bincount(block.group, minlength=n), np.bincount(block.group[usable], minlength=n)
    out: dict[str, Any] = {name: np.full(n, np.nan) for name in (*_NATURAL, "mu", *_AS_THEY_ARE)}
    remarks: list[str] = [""] * n
    for i in np.flatnonzero((k == 0) & [i not in reasons for i in range(n)]).tolist():
        reasons[i] = f"No row can be used: {_reasons_of(block, why, i)}."
    for i in np.flatnonzero((k > 0) & (k < rows)).tolist():
        remarks[i] = f"{rows[i] - k[i]} of {rows[i]} rows not used: {_reasons_of(block, why, i)}."
    harmonic = _harmonic(block, recipe, usable)
    for members, fit in _pools(yi[usable], vi[usable], k, recipe, reasons):
        measure = _shown(recipe)
        for name in _NATURAL:
            value = getattr(fit, name)
            size = None if harmonic is None else harmonic[members]
            out[name][members] = natural(measure, value, n_harmonic=size)  # type: ignore[arg-type]
        out["mu"][members] = fit.estimate
        for name in _AS_THEY_ARE:
            out[name][members] = getattr(fit, name)
        for at in np.flatnonzero(_remarkable(fit)).tolist():
            said = " ".join(fit.one(at).remarks)
            remarks[members[at]] = f"{said} {remarks[members[at]]}".strip()
    blank = [i in reasons for i in range(n)]
    k[blank] = 0
    frame = pd.DataFrame({"group": block.groups, "k": k, "rows": rows, **out})
    frame["remarks"] = ["" if i in reasons else remarks[i] for i in range(n)]
    frame["reason"] = [reasons.get(i, "") for i in range(n)]
    return frame


def _shown(recipe: Recipe) -> str:
    """Return the measure whose scale the reader sees."""
    return (recipe.measure or ("LOG" if recipe.scale == "log" else "GEN")).upper()


def _effects(block: Block, recipe: Recipe, reasons: dict[int, str]) -> tuple[Floats, Floats, Mask, dict[int, str]]:
    """Return effects, variances, which rows are usable and why others are not; groups at fault go to `reasons`."""
    n = len(block.row)
    yi, vi, why = np.full(n, np.nan), np.full(n, np.nan), {}
    # Whether studies get an increment may depend on the others of their group: then groups go one by one.
    alone = recipe.zero_cells == "if0all"
    parts = [block.group == i for i in range(len(block.groups))] if alone else [np.ones(n, dtype=bool)]
    for part in parts:
        keep = part & ~np.isin(block.group, list(reasons))
        while keep.any():
            try:
                sizes = recipe.effects(block.frame(keep)).sizes
            except InputError as error:
                if any(problem.row is None for problem in error.problems):
                    raise
                _blame(block, error, reasons)
                keep &= ~np.isin(block.group, list(reasons))
                continue
            at = np.flatnonzero(keep)
            yi[at], vi[at] = sizes.yi, sizes.vi
            why.update({int(i): reason for i, reason in zip(at, sizes.reason, strict=True) if reason is not None})
            break
    usable = np.isfinite(yi) | np.isfinite(vi)
    usable[list(why)] = False
    return yi, vi, usable & ~np.isin(block.group, list(reasons)), why


def _blame(block: Block, error: InputError, reasons: dict[int, str]) -> None:
    """Give each group its first problem, and how many more there are."""
    by_row = {int(row): int(group) for row, group in zip(block.row, block.group, strict=True)}
    found: dict[int, list[Problem]] = {}
    for problem in error.problems:
        found.setdefault(by_row[problem.row or 0], []).append(replace(problem, file=None))
    for group, problems in found.items():
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        reasons[group] = f"{problems[0]}{more}"


def _reasons_of(block: Block, why: dict[int, str], group: int) -> str:
    first, last = np.searchsorted(block.group, [group, group + 1])
    return "; ".join(dict.fromkeys(why[i] for i in range(int(first), int(last)) if i in why))


def _harmonic(block: Block, recipe: Recipe, usable: Mask) -> Floats | None:
    """Return the harmonic mean of the sample sizes of each group, where the measure needs it."""
    if _shown(recipe) != "PFT" or recipe.columns.n is None:
        return None
    n, group = block.numbers[recipe.columns.n][usable], block.group[usable]
    with np.errstate(invalid="ignore", divide="ignore"):
        k = np.bincount(group, minlength=len(block.groups))
        return np.asarray(k / np.bincount(group, weights=1 / n, minlength=len(block.groups)))


def width(k: Any) -> Any:
    """Return the number of places for k studies: k up to 32, above in steps of a sixteenth to an eighth.

    Examples
    --------
    >>> width([5, 32, 33, 100]).tolist()
    [5, 32, 34, 100]
    """
    k = np.asarray(k)
    step = 2 ** np.maximum(np.ceil(np.log2(np.maximum(k, 1) / 32)), 0).astype(int)
    return -(-k // step) * step


def _pools(
    yi: Floats, vi: Floats, k: Ints, recipe: Recipe, reasons: dict[int, str]
) -> Iterator[tuple[Ints, PooledBatch]]:
    """Yield fits of groups of similar size with the positions of the groups; the effects of a group stand together."""
    starts = np.concatenate([[0], np.cumsum(k)])
    widths = np.where(k > 0, width(k), 0)
    for places in np.unique(widths[widths > 0]).tolist():
        same = np.flatnonzero(widths == places)
        size = max(CELLS // places, 1)
        for first in range(0, len(same), size):
            members = same[first : first + size]
            place = np.arange(places)
            mask = place < k[members][:, None]
            at = np.where(mask, starts[members][:, None] + place, 0)
            try:
                yield members, pooling.pool(yi[at], vi[at], mask=mask, **recipe.options())
            except InputError:
                # Some group cannot be pooled as effects: which, and why, is found one by one.
                found = [_alone(yi[i][m], vi[i][m], recipe) for i, m in zip(at, mask, strict=True)]
                reasons.update({int(g): said for g, said in zip(members, found, strict=True) if said is not None})
                good = np.array([said is None for said in found])
                if good.any():
                    at, mask, members = at[good], mask[good], members[good]
                    yield members, pooling.pool(yi[at], vi[at], mask=mask, **recipe.options())


def _alone(yi: Floats, vi: Floats, recipe: Recipe) -> str | None:
    """Return what the kernel says against the effects of a group; None where it takes them."""
    try:
        pooling.pool_one(yi, vi, **recipe.options())
    except IgfmetaError as error:
        # Its rows count among the usable ones of the group, not as the table does.
        return getattr(error, "problems", (Problem(str(error)),))[0].message
    return None


def _remarkable(fit: PooledBatch) -> Mask:
    """Return which fits may have a remark; each is then asked for it."""
    return np.asarray(
        (fit.k == 1)
        | np.isnan(fit.pi_lower)
        | (fit.q == 0)
        | fit.multimodal
        | ~fit.converged
        | (fit.tau2_ci_upper == 0)
        | fit.narrower
    )
