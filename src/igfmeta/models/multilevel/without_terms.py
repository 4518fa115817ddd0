"""Whether each random term is needed: the likelihood ratio against the model without it."""

from __future__ import annotations

from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.results import LikelihoodRatio, MultilevelFit, likelihood_ratio


def without_terms(fit: MultilevelFit) -> tuple[tuple[str, LikelihoodRatio], ...]:
    """Return, for each random term of a model with several, the test of the model against the one without it.

    Both have the same fixed effects, so that restricted likelihoods compare too. For one variance the p-value that
    knows the boundary is `p_value_boundary` (Self & Liang 1987).

    Examples
    --------
    >>> from igfmeta.models.multilevel.terms import parse
    >>> columns = {"study": list("aabbccdd"), "row": range(8)}
    >>> y = [0.1, 0.2, 0.9, 1.1, 0.4, 0.6, -0.2, 0.1]
    >>> fit = fit_multilevel(y, [0.02] * 8, parse("~ 1 | study/row", columns), intervals=False)
    >>> [(term, test.df, test.p_value_boundary.__round__(4)) for term, test in without_terms(fit)]
    [('study', 1, 0.0061), ('study/row', 1, 0.4325)]
    """
    if len(fit.terms) < 2:
        return ()
    out = []
    for i, term in enumerate(fit.terms):
        others = [other for j, other in enumerate(fit.terms) if j != i]
        reduced = fit_multilevel(
            fit.y, fit.v, others, x=fit.x, names=fit.names, method=fit.method, test="z", level=fit.level,
            intervals=False,
        )  # fmt: skip
        out.append((term.label, likelihood_ratio(fit, reduced)))
    return tuple(out)
