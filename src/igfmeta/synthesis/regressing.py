"""Fits a meta-regression to studies wherever they are from, with everything that was asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.models.regression.collinearity import combinations_of
from igfmeta.models.regression.fitting import regress_one
from igfmeta.models.regression.location_scale import SCALE_METHODS, LocationScale, location_scale
from igfmeta.models.regression.permutation import PermutationTest, permutation_test
from igfmeta.models.regression.results import Regression
from igfmeta.numerics import Floats
from igfmeta.synthesis.design_points import Design
from igfmeta.synthesis.formula_design import design as design_of
from igfmeta.synthesis.regress_parts import ADJUSTMENT_NAMES, contrasts, curve, inflations, predictions
from igfmeta.synthesis.regress_results import MetaRegression, RegressionRow

if TYPE_CHECKING:
    import pandas as pd

#: What moderators across studies can and cannot say.
NOT_RANDOMIZED = "Studies are not randomized to their moderators: an association across them may be due to another."


@dataclass(frozen=True)
class RegressOptions:
    """How a meta-regression is made, and what is asked of it.

    Attributes
    ----------
    mods : str
        Formula, such as "~ year + C(phase)".
    method : str
        Estimator of the residual tau2.
    ci : {"HK", "HK-floor", "KR", "t", "z"}
        Tests and intervals of the coefficients, of predictions and contrasts.
    level : float
    permute : int or None
        Permutations; up to 50,000 that there are, all are taken.
    seed : int
        Of the permutations.
    predict : tuple of str
        Points, such as "year=2010, phase=3".
    contrasts : tuple of str
        Factors whose levels are compared two by two.
    adjust : str
        Of the p-values of contrasts: one of `igfmeta.synthesis.regress_parts.ADJUSTMENTS`.
    scale_mods : str or None
        Formula of log tau2: also fits the location-scale model.
    along : str or None
        Moderator along which the figure is drawn.
    """

    mods: str
    method: str = "REML"
    ci: str = "HK"
    level: float = 0.95
    permute: int | None = None
    seed: int = 1
    predict: tuple[str, ...] = ()
    contrasts: tuple[str, ...] = ()
    adjust: str = "holm"
    scale_mods: str | None = None
    along: str | None = None

    def checked(self) -> RegressOptions:
        """Return the options with every name as it is spelled; raise a sentence for what is not accepted."""
        values = dict(self.__dict__)
        values["method"] = check_choice("method", self.method, TAU2_METHODS)
        values["ci"] = check_choice("ci", self.ci, CI_METHODS)
        values["level"] = check_level(self.level)
        values["adjust"] = check_choice("adjust", self.adjust, ADJUSTMENT_NAMES)
        if self.permute is not None and self.permute < 1:
            raise InputError(f"permute was {self.permute}; accepted is a number of permutations, 1 or more.")
        if self.scale_mods is not None and values["method"] not in SCALE_METHODS:
            raise InputError(f"method was {self.method!r}; with scale_mods accepted are REML and ML.")
        return RegressOptions(**values)


@dataclass(frozen=True, eq=False)
class Material:
    """The studies of a meta-regression, with their moderators.

    Attributes
    ----------
    title, measure : str
    yi, vi : ndarray of shape (k,)
    moderators : DataFrame
        One row per study.
    rows : tuple of RegressionRow
        Used and not used; weights and fitted values are still to come.
    n_harmonic : float or None
    unused, remarks : tuple of str
    file : str or None
    origin, fingerprint : str
    """

    title: str
    measure: str
    yi: Floats
    vi: Floats
    moderators: pd.DataFrame
    rows: tuple[RegressionRow, ...]
    n_harmonic: float | None
    unused: tuple[str, ...]
    remarks: tuple[str, ...]
    file: str | None
    origin: str
    fingerprint: str


def regressed(material: Material, options: RegressOptions) -> MetaRegression:
    """Fit the meta-regression, and what was asked of it.

    Raises
    ------
    InputError
        A formula that cannot be read, moderators that are not there or blank, points and factors that are none.
    NothingToPool
        Fewer studies than the coefficients need, or columns that say the same.
    """
    options = options.checked()
    design = Design.of(options.mods, material.moderators)
    points = [design.point(text) for text in options.predict]
    _refuse_combinations(design.x, design.names, len(material.yi))
    fit = regress_one(
        material.yi, material.vi, design.x, method=options.method, test=options.ci, level=options.level,
        names=design.names,
    )  # fmt: skip
    return MetaRegression(
        title=f"{material.title}: meta-regression {options.mods}, {fit.k} studies",
        measure=material.measure,
        formula=options.mods,
        fit=fit,
        rows=_rows(material, fit, design.x),
        inflation=inflations(fit, design),
        predictions=predictions(fit, design, points),
        contrasts=contrasts(fit, design, options.contrasts, options.adjust),
        adjust=options.adjust,
        permutation=_permuted(material, design, options),
        seed=options.seed,
        scale_formula=options.scale_mods,
        location_scale=_scaled(material, design, options),
        curve=curve(fit, design, options.along),
        n_harmonic=material.n_harmonic,
        unused=material.unused,
        remarks=(*material.remarks, *([NOT_RANDOMIZED] if design.variables else [])),
        file=material.file,
        origin=material.origin,
        fingerprint=material.fingerprint,
    )


def _refuse_combinations(x: Floats, names: Sequence[str], k: int) -> None:
    """Refuse columns that others determine, each named; with too few studies every column is one, and that is said."""
    found = combinations_of(x) if k > x.shape[1] else {}
    if found:
        raise NothingToPool(
            " ".join(
                f"The column {names[j]} of the design is a combination of {', '.join(names[i] for i in own)}; "
                "leave it out."
                if own
                else f"The column {names[j]} of the design is 0 in every study; leave it out."
                for j, own in found.items()
            )
        )


def _rows(material: Material, fit: Regression, x: Floats) -> tuple[RegressionRow, ...]:
    w = 1 / (material.vi + fit.tau2)
    own = zip((100 * w / w.sum()).tolist(), (x @ fit.beta).tolist(), strict=True)
    out: list[RegressionRow] = []
    for row in material.rows:
        weight, fitted = next(own) if row.reason is None else (None, None)
        out.append(RegressionRow(**{**row.__dict__, "weight": weight, "fitted": fitted}))
    return tuple(out)


def _permuted(material: Material, design: Design, options: RegressOptions) -> PermutationTest | None:
    if options.permute is None:
        return None
    return permutation_test(
        material.yi, material.vi, design.x, rng=np.random.default_rng(options.seed), draws=options.permute,
        method=options.method, test=options.ci,
    )  # fmt: skip


def _scaled(material: Material, design: Design, options: RegressOptions) -> LocationScale | None:
    if options.scale_mods is None:
        return None
    z, names = design_of(options.scale_mods, material.moderators, "scale_mods")
    _refuse_combinations(z, names, len(z))
    return location_scale(
        material.yi, material.vi, design.x, z, method=options.method, test="z" if options.ci == "z" else "t",
        level=options.level, names=design.names, scale_names=names,
    )  # fmt: skip
