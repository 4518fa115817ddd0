"""Which methods sets of studies heed: rates of single arms have the likelihood of their counts, all else any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igfmeta.errors import InputError, check_choice, check_level
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.prediction import PI_METHODS
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.synthesis.methods import PROFILE, Methods
from igfmeta.synthesis.model_methods import model_methods
from igfmeta.synthesis.pool_models import COUNTED_PROPORTION, default_model
from igfmeta.synthesis.study_sets import StudySet

#: How rates may be had by other methods, where nothing else heeds these, and where something does.
INSTEAD = "Other measures of rates (--measure PAS, PFT, PLN or PR) are pooled by inverse variance instead."
APPROXIMATED = "Normal approximations of the rates, where they are shown, heed what was asked."


def methods_of_sets(
    sets: Sequence[StudySet],
    *,
    method: str | None = None,
    ci: str | None = None,
    pi: str | None = None,
    level: float = 0.95,
    approximated: bool = False,
) -> tuple[tuple[StudySet, ...], Methods]:
    """Return the sets, rates with a sentence on what they do not heed of the methods asked for, and the methods.

    Parameters
    ----------
    sets : sequence of StudySet
    method, ci, pi : str, optional
        None: not asked for. Rates that are pooled from their counts heed method ML or CE, and ci PL, z or t.
    level : float
    approximated : bool
        Whether normal approximations of rates stand beside the likelihood of their counts, and heed any method.

    Raises
    ------
    InputError
        A method that is not accepted, or that nothing heeds.
    """
    of_counts = all(each.counted for each in sets)
    said = model_methods(
        default_model(COUNTED_PROPORTION), method, ci, pi, instead=APPROXIMATED if approximated else INSTEAD
    ).unheeded
    if of_counts and not approximated and said is not None:
        raise InputError(said)
    if of_counts and ci is not None and ci.upper() == PROFILE:
        ci = None  # what rates have by default; no interval of normal effects
    defaults = Methods()
    methods = Methods(
        method=check_choice("method", method or defaults.method, TAU2_METHODS),
        ci=check_choice("ci", ci or defaults.ci, CI_METHODS),
        pi=check_choice("pi", pi or defaults.pi, PI_METHODS),
        level=check_level(level),
    )
    if said is None:
        return tuple(sets), methods
    return tuple(replace(each, said=(said,)) if each.counted else each for each in sets), methods
