"""Names that the command line's help lists, without loading what they name; a test holds them to the registries."""

from __future__ import annotations

TEST_WORDS = (
    "egger, egger-unweighted, egger-common, egger-mixed, thompson-sharp, begg, harbord, peters, macaskill-fiv, "
    "macaskill-fpv, deeks, schwarzer, debray-fiv, debray-fav, pustejovsky-rodgers, rate-peters, rate-root"
)
SELECTIONS = ("step", "half-normal", "negative-exponential", "logistic", "power", "beta")
