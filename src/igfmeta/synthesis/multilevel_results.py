"""What `multilevel` and `fit --model multilevel` return: the fit, the sweep over rho, and where the rows are from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import natural
from igfmeta.models.multilevel.results import LikelihoodRatio, MultilevelFit
from igfmeta.models.multilevel.surrogacy import Surrogacy
from igfmeta.synthesis.display import Drawn, Pictured
from igfmeta.synthesis.eligibility import Unused
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: Correlations of sampling errors within a cluster under which results are given beside that asked for.
SWEEP = (0.0, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, eq=False)
class Swept:
    """The fit under one assumed correlation within clusters, and the line that it implies where there is one."""

    rho: float
    fit: MultilevelFit
    surrogacy: Surrogacy | None = None


@dataclass(frozen=True)
class MultilevelRow:
    """One row of the model, or one that could not be used, with the reason."""

    label: str
    outcome: str
    yi: float | None
    vi: float | None
    derivation: str
    reason: str | None
    row: int | None = None
    row_id: str = ""


@dataclass(frozen=True, eq=False)
class MultilevelResult(Drawn, Pictured):
    """A multilevel or multivariate model of a table or of the evidence.

    Attributes
    ----------
    title : str
    measure : str
        It fixes the scale of the analysis.
    random, struct : tuple of str
        Formulas of the random terms, and their structures.
    mods : str or None
    cluster : str or None
        What sampling errors are correlated within.
    rho : float or None
    fit : MultilevelFit
    without : tuple of (term, LikelihoodRatio)
        Each random term tested, where there are several.
    sweep : tuple of Swept
        By assumed correlation; empty where none is assumed.
    surrogacy : Surrogacy or None
        Its line is the `figure`; the `forest` shows the rows with the pooled effects.
    rows : tuple of MultilevelRow
        Used and not used, in the order of the table.
    trial : tuple of str
        Of each used row: the comparison that it is of.
    unused : tuple of Unused
        Rows of the evidence that do not answer the question.
    remarks : tuple of str
    file : str or None
    origin, fingerprint : str
    """

    title: str
    measure: str
    random: tuple[str, ...]
    struct: tuple[str, ...]
    mods: str | None
    cluster: str | None
    rho: float | None
    fit: MultilevelFit
    without: tuple[tuple[str, LikelihoodRatio], ...]
    sweep: tuple[Swept, ...]
    surrogacy: Surrogacy | None
    rows: tuple[MultilevelRow, ...]
    trial: tuple[str, ...]
    unused: tuple[Unused, ...]
    remarks: tuple[str, ...]
    file: str | None
    origin: str
    fingerprint: str

    @property
    def used(self) -> tuple[MultilevelRow, ...]:
        """The rows of the model, in its order."""
        return tuple(row for row in self.rows if row.reason is None)

    @property
    def pictured(self) -> bool:
        """Whether there is a figure beside the forest."""
        return self.surrogacy is not None

    @property
    def means(self) -> bool:
        """Whether every coefficient is the mean of a group of rows."""
        x = self.fit.x
        return bool(((x == 0) | (x == 1)).all() and (x.sum(axis=1) == 1).all())

    def prediction(self, i: int) -> tuple[float, float] | None:
        """Return the interval of a new true effect; None where coefficient i is not the mean of one group of rows."""
        fit = self.fit
        x = np.eye(fit.p)[i]
        rows = (fit.x == x).all(axis=1)
        if not rows.any():
            return None
        inner = {}
        for term in fit.terms:
            if term.inner is not None and term.structure.n_sd > 1:
                levels = np.unique(term.inner[rows])
                if len(levels) > 1:
                    return None
                inner[term.label] = term.inner_levels[int(levels[0])]
        found = fit.predict(x, inner=inner)
        return float(found.pi_lower[0]), float(found.pi_upper[0])

    def natural(self, value: float | None) -> float | None:
        """Return a value of the analysis scale on the reader's scale."""
        return None if value is None else float(natural(self.measure, value))

    def _coefficients(self, fit: MultilevelFit) -> list[dict[str, Any]]:
        scaled = ("coef", "ci_lower", "ci_upper")
        return [
            {**each, "natural": {name: self.natural(each[name]) for name in scaled}}
            for each in fit.to_dict()["coefficients"]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "data": {"file": self.file, "origin": self.origin, "sha256": self.fingerprint},
            "title": self.title,
            "measure": self.measure,
            "random": list(self.random),
            "struct": list(self.struct),
            "mods": self.mods,
            "cluster": self.cluster,
            "rho": self.rho,
            **self.fit.to_dict(),
            "coefficients": self._coefficients(self.fit),
            "without": [{"term": term, **test.__dict__} for term, test in self.without],
            "surrogacy": None if self.surrogacy is None else self.surrogacy.to_dict(),
            "sweep": [
                {
                    "rho": each.rho,
                    "log_likelihood": each.fit.log_likelihood,
                    "coefficients": self._coefficients(each.fit),
                    "components": each.fit.to_dict()["components"],
                    "surrogacy": None if each.surrogacy is None else each.surrogacy.to_dict(),
                }
                for each in self.sweep
            ],
            "rows": [dict(row.__dict__) for row in self.rows],
            "unused": [each.to_dict() for each in self.unused],
            "remarks": [*self.fit.remarks, *self.remarks],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient and per variance or correlation, under each assumed correlation."""
        import pandas as pd

        out = []
        for rho, fit in [(self.rho, self.fit), *((each.rho, each.fit) for each in self.sweep)]:
            for c in self._coefficients(fit):
                shown = {name: c["natural"][name] for name in ("coef", "ci_lower", "ci_upper")}
                out.append({"rho": rho, "kind": "coefficient", "term": "", "label": c["name"],
                            "estimate": shown["coef"], "ci_lower": shown["ci_lower"], "ci_upper": shown["ci_upper"],
                            "se": c["se"], "df": c["df"], "p_value": c["p_value"]})  # fmt: skip
            out += [
                {"rho": rho, "kind": part.kind, "term": part.term, "label": part.label, "estimate": part.estimate,
                 "ci_lower": part.ci_lower, "ci_upper": part.ci_upper}
                for part in fit.components
            ]  # fmt: skip
        return pd.DataFrame(out)
