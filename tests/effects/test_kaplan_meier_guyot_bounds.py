"""Numbers at risk that no figure has are refused at once, and not searched for ever."""

from __future__ import annotations

import pytest

from igfmeta.effects.kaplan_meier_guyot import reconstruct
from igfmeta.errors import InputError


def test_sixty_million_people_are_a_slip_of_the_pen():
    with pytest.raises(InputError, match="at most 100,000 of an arm"):
        reconstruct([0, 1, 2], [1, 0.9, 0.8], risk_time=[0, 1], at_risk=[60_000_000, 5])
