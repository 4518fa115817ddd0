"""What weight functions there are. A new one is one file and one line here; the step function is apart."""

from __future__ import annotations

from igfmeta.models.bias.selection import beta, half_normal, logistic, negative_exponential, power
from igfmeta.models.bias.selection.weights import Continuous

WEIGHTS: dict[str, Continuous] = {
    "half-normal": Continuous(half_normal.log_weight, "half-normal", "Preston et al. 2004"),
    "negative-exponential": Continuous(negative_exponential.log_weight, "negative exponential", "Preston et al. 2004"),
    "logistic": Continuous(logistic.log_weight, "logistic", "Preston et al. 2004"),
    "power": Continuous(power.log_weight, "power", "Viechtbauer 2021 (metafor)", smallest_p=1e-5),
    "beta": Continuous(
        beta.log_weight,
        "beta",
        "Citkowicz & Vevea 2017",
        lower=(1e-5, 1e-5),
        upper=(100.0, 100.0),
        none=(1.0, 1.0),
        smallest_p=1e-5,
        takes_precision=False,
    ),
}
SELECTION_NAMES = ("step", *WEIGHTS)
