"""Published empirical priors, read from the tables in `data/priors`.

Turner et al. 2015, Stat Med 34:984 (log odds ratios: tau^2 log-normal); Rhodes, Turner & Higgins 2015, J Clin Epidemiol
68:52 (standardized mean differences: tau^2 log-t with 5 df); Bartoš et al. 2021, Stat Med 40:6743 and 2023 (Cochrane
topics, continuous, dichotomous and time-to-event outcomes: tau inverse-gamma or half-normal, effect Student-t). A
distribution of tau^2 on the log scale becomes that of tau by halving location and scale.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from igfmeta.bayes.mu_priors import MuPrior, TMu
from igfmeta.bayes.tau_priors import HalfNormal, InverseGamma, LogNormal, LogT, TauPrior
from igfmeta.errors import InputError
from igfmeta.resources import data_folder

#: Degrees of freedom of the log-t priors of Rhodes et al.
RHODES_DF = 5


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (data_folder() / "priors" / name).open(newline="", encoding="utf-8") as stream:
        return tuple(csv.DictReader(stream))


def _match(what: str, text: str, accepted: Iterable[str]) -> str:
    """Return the accepted name that a text means: in full, or as a part that only one of them has."""
    names = sorted(set(accepted))
    folded = text.casefold().strip()
    exact = [name for name in names if name.casefold() == folded]
    parts = exact or [name for name in names if folded and folded in name.casefold()]
    if len(parts) != 1:
        found = "fits several" if parts else "fits none"
        raise InputError(f"The {what} was {text!r}, which {found} of: {'; '.join(parts or names)}.")
    return parts[0]


def _of_outcome(
    table: str, keys: Sequence[str], wanted: Sequence[str], parameters: tuple[str, str]
) -> tuple[list[str], float, float]:
    rows: Sequence[dict[str, str]] = _rows(table)
    chosen = []
    for key, text in zip(keys, wanted, strict=True):
        chosen.append(_match(key.replace("medical.area", "medical area"), text, (row[key] for row in rows)))
        rows = [row for row in rows if row[key] == chosen[-1]]
    values = {row["parameter"]: float(row["value"]) for row in rows}
    return chosen, values[parameters[0]], values[parameters[1]]


def turner(outcome: str, comparison: str) -> TauPrior:
    """Return the prior of Turner et al. (2015) for a log odds ratio.

    Examples
    --------
    >>> turner("all-cause", "pharmacological vs. placebo").label
    'turner(all-cause mortality; pharmacological vs. placebo / control): log-normal(-1.975, 0.67)'
    """
    comparison = _prefer_plain(comparison)
    chosen, mu, sigma = _of_outcome(
        "turner2015_prior_parameters.csv", ("outcome", "comparison"), (outcome, comparison), ("mu", "sigma")
    )
    return _labelled(LogNormal(mu / 2, sigma / 2), "turner", chosen)


def rhodes(outcome: str, comparison: str, area: str = "other") -> TauPrior:
    """Return the prior of Rhodes et al. (2015) for a standardized mean difference."""
    chosen, location, scale = _of_outcome(
        "rhodes2015_prior_parameters.csv",
        ("outcome", "comparison", "medical.area"),
        (outcome, _prefer_plain(comparison), area),
        ("location", "scale"),
    )
    return _labelled(LogT(location / 2, scale / 2, RHODES_DF), "rhodes", chosen)


def _labelled(prior: TauPrior, source: str, parts: Sequence[str]) -> TauPrior:
    """Return a prior that names its source and its numbers."""
    return replace(prior, label=f"{source}({'; '.join(parts)}): {prior.label}")


def _prefer_plain(comparison: str) -> str:
    """Return a comparison in full where it is the beginning of one: "pharmacological ..." is part of "non-..." too."""
    names = {row["comparison"] for row in _rows("turner2015_prior_parameters.csv")}
    starts = [
        name for name in names if name.casefold().startswith(comparison.casefold().strip()) and comparison.strip()
    ]
    return starts[0] if len(starts) == 1 else comparison


def _cochrane_row(topic: str, measure: str, parameter: str) -> dict[str, str]:
    rows = [row for row in _rows("bayestools_informed_priors_medicine.csv") if row["parameter"] == parameter]
    kind = _match("measure", measure, (row["type"] for row in rows))
    rows = [row for row in rows if row["type"] == kind]
    name = _match("topic", topic, (row["topic"] for row in rows))
    return next(row for row in rows if row["topic"] == name)


def _numbers(row: dict[str, str]) -> dict[str, float]:
    words = row["pars"].split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def cochrane(topic: str, measure: str) -> TauPrior:
    """Return the prior of tau for a Cochrane topic; "Cochrane" is that of all topics together.

    Parameters
    ----------
    topic : str
        Such as "Breast Cancer" or "Cochrane".
    measure : {"logOR", "logRR", "logHR", "RD", "smd"}

    Examples
    --------
    >>> cochrane("Cochrane", "logHR").label
    'cochrane(Cochrane; logHR): inverse-gamma(2.42, 0.3)'
    """
    row = _cochrane_row(topic, measure, "heterogeneity")
    values = _numbers(row)
    inverse = row["distribution"] == "invgamma"
    prior = InverseGamma(values["shape"], values["scale"]) if inverse else HalfNormal(values["sd"])
    return _labelled(prior, "cochrane", (row["topic"], row["type"]))


def cochrane_effect(topic: str, measure: str) -> MuPrior:
    """Return the prior of the mean effect for a Cochrane topic; the arguments are those of `cochrane`.

    Examples
    --------
    >>> cochrane_effect("Cochrane", "logHR").label
    'cochrane(Cochrane; logHR): t(0, 0.13, 2)'
    """
    row = _cochrane_row(topic, measure, "effect")
    values = _numbers(row)
    prior = TMu(values["location"], values["scale"], values["df"])
    return replace(prior, label=f"cochrane({row['topic']}; {row['type']}): {prior.label}")


def named(source: str, parts: Sequence[str]) -> TauPrior:
    """Return the published prior that `turner(...)`, `rhodes(...)` or `cochrane(...)` names."""
    counts = {"turner": (2,), "rhodes": (2, 3), "cochrane": (2,)}
    if len(parts) not in counts[source]:
        form = {
            "turner": "turner(OUTCOME; COMPARISON)",
            "rhodes": "rhodes(OUTCOME; COMPARISON; AREA)",
            "cochrane": "cochrane(TOPIC; MEASURE)",
        }[source]
        raise InputError(f"The prior {source} had {len(parts)} parts; accepted is {form}, parted by semicolons.")
    return {"turner": turner, "rhodes": rhodes, "cochrane": cochrane}[source](*parts)
