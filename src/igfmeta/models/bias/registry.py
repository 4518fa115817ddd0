"""What tests of small-study effects there are: name, function, words, paper. A new test is one file and one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.bias import (
    begg,
    debray,
    deeks,
    egger,
    harbord,
    macaskill,
    peters,
    pustejovsky_rodgers,
    rates,
    schwarzer,
    thompson_sharp,
)  # fmt: skip
from igfmeta.models.bias.funnel import Asymmetry, Funnel

#: Under this many studies the tests have hardly any power (Sterne et al. 2011, BMJ 343:d4002).
FEWEST = 10

#: What a test may need beside effects and variances, in words.
NEEDS = {
    "counts": "events and patients of both arms",
    "arm sizes": "patients of both arms",
    "arm events": "events of both arms",
    "sizes": "numbers of patients",
    "events": "numbers of events",
    "rates": "events and patients of single arms (measure PLO)",
}

Compute = Callable[[Funnel], Asymmetry]


@dataclass(frozen=True)
class BiasTest:
    """A test: how to compute it, what it is called, who described it, what it needs, the measures it was made for."""

    compute: Compute
    label: str
    paper: str
    needs: tuple[str, ...] = ()
    made_for: tuple[str, ...] = ()


#: Measures that a test of counts is for: those whose effect is a log odds ratio.
_ODDS = ("OR", "PETO")

TESTS: dict[str, BiasTest] = {
    "egger": BiasTest(egger.multiplicative, "Egger, weights 1/v, multiplicative", "Egger 1997", (), ("GEN", "MD")),
    "egger-unweighted": BiasTest(egger.unweighted, "Egger, unweighted", "Egger 1997"),
    "egger-common": BiasTest(egger.common, "Egger, weights 1/v, no dispersion", "Sterne & Egger 2005"),
    "egger-mixed": BiasTest(
        egger.mixed, "Egger, mixed effects (REML)", "Sterne & Egger 2005", (), ("GEN", "LOG", "MD")
    ),
    "thompson-sharp": BiasTest(thompson_sharp.thompson_sharp, "Thompson-Sharp, additive", "Thompson & Sharp 1999"),
    "begg": BiasTest(begg.begg, "Begg-Mazumdar, ranks", "Begg & Mazumdar 1994"),
    "harbord": BiasTest(harbord.harbord, "Harbord, score", "Harbord 2006", ("counts",), _ODDS),
    "peters": BiasTest(peters.peters, "Peters, 1/n", "Peters 2006", ("sizes", "events"), _ODDS),
    "macaskill-fiv": BiasTest(macaskill.inverse_variance, "Macaskill FIV, n", "Macaskill 2001", ("sizes",)),
    "macaskill-fpv": BiasTest(
        macaskill.pooled_variance, "Macaskill FPV, n", "Macaskill 2001", ("sizes", "events"), _ODDS
    ),
    "deeks": BiasTest(deeks.deeks, "Deeks, effective n", "Deeks 2005", ("arm sizes",)),
    "schwarzer": BiasTest(schwarzer.schwarzer, "Schwarzer, ranks of counts", "Schwarzer 2007", ("counts",), _ODDS),
    "debray-fiv": BiasTest(debray.inverse_variance, "Debray D-FIV, 1/events", "Debray 2018", ("events",), ("HR",)),
    "debray-fav": BiasTest(
        debray.approximate_variance, "Debray D-FAV, 1/events", "Debray 2018", ("events", "arm events"), ("HR",)
    ),
    "pustejovsky-rodgers": BiasTest(
        pustejovsky_rodgers.pustejovsky_rodgers,
        "Pustejovsky-Rodgers",
        "Pustejovsky & Rodgers 2019",
        ("arm sizes",),
        ("SMD",),
    ),
    "rate-peters": BiasTest(
        rates.inverse_size, "Binomial-normal regression on 1/n", "Peters 2006; Stijnen 2010", ("rates",), ("PLO",)
    ),
    "rate-root": BiasTest(
        rates.inverse_root_size, "Binomial-normal regression on 1/√n", "Deeks 2005; Stijnen 2010", ("rates",), ("PLO",)
    ),
}
TEST_NAMES = tuple(TESTS)

#: Those of single-arm rates, by the likelihood of their counts.
RATE_TESTS = tuple(name for name, test in TESTS.items() if "rates" in test.needs)


def missing(test: str, data: Funnel) -> tuple[str, ...]:
    """Return, in words, what a test needs and the studies do not all have."""
    have = {
        "counts": data.counts,
        "arm sizes": data.counts[:, [1, 3]],
        "arm events": data.counts[:, [0, 2]],
        "sizes": data.sizes,
        "events": data.events,
        "rates": data.rates,
    }
    return tuple(NEEDS[need] for need in TESTS[test].needs if not np.isfinite(have[need]).all())


def run_test(test: str, data: Funnel) -> Asymmetry:
    """Return the result of a test.

    Raises
    ------
    InputError
        The test needs counts or sizes that are not all known, or fewer studies have them than a line takes.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> round(run_test("egger", funnel([0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.2])).p_value, 3)
    0.111
    """
    if lacking := missing(test, data):
        raise InputError(f"The test {test} needs the {' and the '.join(lacking)} of every study.")
    with np.errstate(divide="ignore", invalid="ignore"):
        found = TESTS[test].compute(data)
    if not np.isfinite(found.p_value):
        raise InputError(f"The test {test} has no answer for these studies: its predictor or its weights do not vary.")
    return found
