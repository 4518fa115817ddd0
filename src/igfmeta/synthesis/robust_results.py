"""What `robust` and `fit --model robust` return: the fit, the sweep over rho, and where the rows are from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import natural, null_value, transform_of
from igfmeta.models.robust.fitting import RobustFit
from igfmeta.models.robust.lone import rests_on_one
from igfmeta.models.robust.sandwich import HtzTest
from igfmeta.numerics import Floats
from igfmeta.synthesis.display import Drawn
from igfmeta.synthesis.eligibility import Unused
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: Assumed correlations under which results are given beside that asked for.
SWEEP = (0.0, 0.3, 0.5, 0.7, 0.9)

_SCALED = ("estimate", "ci_lower", "ci_upper")


@dataclass(frozen=True)
class RobustRow:
    """A row of the model, or one that could not be used, with the reason.

    Attributes
    ----------
    label, detail : str
        Its study, and what tells it from other rows of the same study.
    row : int
        Of the file.
    row_id : str
        Of the evidence; "" in other tables.
    cluster, group : str
        Its cluster, and that in words.
    yi, vi : float or None
        On the analysis scale.
    estimate, ci_lower, ci_upper : float or None
        On the reader's scale.
    weight : float or None
        In percent.
    derivation : str
    reason : str or None
    source_id, citation, href
        Its source.
    """

    label: str
    row: int
    cluster: str
    yi: float | None
    vi: float | None
    weight: float | None
    derivation: str
    reason: str | None
    estimate: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    detail: str = ""
    group: str = ""
    row_id: str = ""
    source_id: str = ""
    citation: str = ""
    href: str | None = None


@dataclass(frozen=True, eq=False)
class RobustResult(Drawn):
    """A fit with robust variances of a table or of the evidence; draws its forest in a notebook.

    Attributes
    ----------
    title, measure : str
    outcomes : tuple of str
        That were asked of the evidence; of several each has its mean unless there are `mods`. Empty for a table.
    mods : str or None
        Formula of the moderators.
    cluster : str
        The column whose values are the clusters, or what the evidence is clustered by.
    means : bool
        Whether every coefficient is the mean effect of some rows, so that it can stand on the reader's scale.
    fit : RobustFit
    equal_means : HtzTest or None
        That all means are equal, where there are several.
    sweep : tuple of (float, RobustFit)
        By assumed correlation; empty where the working model has none.
    rows : tuple of RobustRow
    unused : tuple of Unused
        Rows of the evidence that do not answer the question.
    remarks : tuple of str
    n_harmonic : float or None
        Harmonic mean of the sizes of single arms, which PFT needs on its way back.
    file : str or None
    origin, fingerprint : str
    """

    title: str
    measure: str
    outcomes: tuple[str, ...]
    mods: str | None
    cluster: str
    means: bool
    fit: RobustFit
    equal_means: HtzTest | None
    sweep: tuple[tuple[float, RobustFit], ...]
    rows: tuple[RobustRow, ...]
    unused: tuple[Unused, ...]
    remarks: tuple[str, ...]
    n_harmonic: float | None
    file: str | None
    origin: str
    fingerprint: str

    @property
    def used(self) -> tuple[RobustRow, ...]:
        """The rows of the model, in its order."""
        return tuple(row for row in self.rows if row.reason is None)

    @property
    def several(self) -> int:
        """How many clusters have more than one row."""
        return sum(len(rows) > 1 for rows in self.fit.clustered.rows)

    @property
    def on_reader_scale(self) -> bool:
        """Whether coefficients are shown as ratios or rates."""
        return self.means and transform_of(self.measure) != "identity"

    @property
    def no_null(self) -> bool:
        """Whether the coefficients are rates, of which none means no effect: their p-values say nothing."""
        return self.means and null_value(self.measure) is None

    def natural(self, value: float | None) -> float | None:
        """Return a coefficient as the reader knows it: a ratio or rate where every coefficient is a mean."""
        if value is None or not self.on_reader_scale:
            return value
        return float(natural(self.measure, value, n_harmonic=self.n_harmonic))

    def _coefficients(self, fit: RobustFit) -> list[dict[str, Any]]:
        return [
            {**each, "natural": {name: self.natural(each[name]) for name in _SCALED} if self.on_reader_scale else None}
            for each in fit.to_dict()["coefficients"]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "data": {"file": self.file, "origin": self.origin, "sha256": self.fingerprint},
            "title": self.title,
            "measure": self.measure,
            "outcomes": list(self.outcomes),
            "mods": self.mods,
            "cluster": self.cluster,
            **self.fit.to_dict(),
            "coefficients": self._coefficients(self.fit),
            "equal_means": None if self.equal_means is None else self.equal_means.to_dict(),
            "sweep": [
                {"rho": rho, "tau2": fit.tau2, "omega2": fit.omega2, "coefficients": self._coefficients(fit)}
                for rho, fit in self.sweep
            ],
            "rows": [asdict(row) for row in self.rows],
            "unused": [each.to_dict() for each in self.unused],
            "remarks": [*self.fit.remarks, *self.remarks],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient, under each assumed correlation, on the reader's scale where it has one."""
        import pandas as pd

        out = []
        for rho, fit in [(self.fit.rho, self.fit), *self.sweep]:
            for each in fit.coefficients:
                shown = {name: self.natural(getattr(each, name)) for name in _SCALED}
                kept = {"se": each.se, "df": each.df, "p_value": each.p_value, "model_se": each.model_se}
                out.append({"rho": rho, "name": each.name, **shown, **kept})
        return pd.DataFrame(out)


def means_of_rows(x: Floats | None) -> bool:
    """Return whether every coefficient of a design is the mean of its own rows."""
    return x is None or bool(((x == 0) | (x == 1)).all() and (x.sum(axis=1) == 1).all())


def equality(fit: RobustFit) -> HtzTest | None:
    """Return the HTZ test that all coefficients, each a mean, are equal; None for one, or where it has no estimate."""
    differences = np.eye(fit.p)[1:] - np.eye(fit.p)[0]
    if fit.moderators is None or not len(differences) or rests_on_one(fit.clustered, differences).any():
        return None
    return fit.test(differences)
