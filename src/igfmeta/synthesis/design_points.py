"""A design that can be asked: its terms, the levels of its factors, and its rows at moderators of one's own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.errors import InputError, listed
from igfmeta.numerics import Floats
from igfmeta.synthesis.formula_design import model_matrix

if TYPE_CHECKING:
    import pandas as pd

#: A level of a factor, or a number.
Value = str | float
Point = Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Design:
    """The design of a formula, and the columns that it is made of.

    Attributes
    ----------
    formula : str
    x : ndarray of shape (k, p)
    names : tuple of str
    columns : DataFrame
        What the formula names.
    spec : formulaic.ModelSpec
    """

    formula: str
    x: Floats
    names: tuple[str, ...]
    columns: pd.DataFrame
    spec: Any

    @classmethod
    def of(cls, formula: str, frame: pd.DataFrame) -> Design:
        """Return the design of a formula; for what is raised see `igfmeta.synthesis.formula_design.design`."""
        matrix, columns = model_matrix(formula, frame)
        spec: Any = matrix.model_spec
        return cls(formula, np.asarray(matrix, dtype=float), tuple(map(str, matrix.columns)), columns, spec)

    @property
    def variables(self) -> tuple[str, ...]:
        """The columns that the formula names, in its order."""
        return tuple(sorted(map(str, self.columns), key=lambda name: _position(name, self.formula)))

    @property
    def terms(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The terms and the positions of their columns, the intercept left out."""
        slices = ((str(term), range(*own.indices(len(self.names)))) for term, own in self.spec.term_slices.items())
        return tuple((name, tuple(own)) for name, own in slices if name != "1" and len(own))

    def levels(self, variable: str) -> tuple[Any, ...]:
        """Return the levels of a factor, the reference first; () for a number.

        Examples
        --------
        >>> import pandas as pd
        >>> Design.of("~ C(phase) + year", pd.DataFrame({"phase": [2, 1, 3], "year": [1.0, 2, 3]})).levels("phase")
        (1, 2, 3)
        """
        for factor, used in self.spec.factor_variables.items():
            kind, state = self.spec.encoder_state.get(str(factor.expr), (None, {}))
            if kind is not None and kind.value == "categorical" and variable in set(map(str, used)):
                return tuple(state["categories"])
        return ()

    def reference(self) -> dict[str, Value]:
        """Return a point: numbers at their mean, factors at their first level."""
        return {
            name: levels[0] if (levels := self.levels(name)) else float(self.columns[name].mean())
            for name in self.variables
        }

    def at(self, points: Sequence[Point]) -> Floats:
        """Return the rows of the design at points, each with every column that the formula names."""
        import pandas as pd

        frame = pd.DataFrame(
            {name: [point[name] for point in points] for name in self.variables}, index=range(len(points))
        )
        with warnings.catch_warnings():
            # One level of a factor alone is no reason to warn here.
            warnings.simplefilter("ignore")
            return np.asarray(self.spec.get_model_matrix(frame, context={}), dtype=float)

    def point(self, text: str) -> dict[str, Value]:
        """Return the point that a text such as "year=2010, phase=3" names.

        Raises
        ------
        InputError
            Names that the formula has not, or that are missing; values that are no number or no level.
        """
        either = "|".join(map(re.escape, self.variables)) or "$"
        parts = re.split(rf"\s*,\s*(?=(?:{either})\s*=)", text.strip())
        pairs = [part.partition("=") for part in parts]
        given = {name.strip(): value.strip() for name, _, value in pairs}
        unknown = [name for name in given if name not in self.variables]
        missing = [name for name in self.variables if name not in given]
        if unknown or missing or len(given) < len(pairs):
            raise InputError(
                f"predict was {text!r}; accepted is one value for each of {listed(self.variables)}, such as "
                f"{self.example()!r}."
            )
        return {name: self._value(name, given[name], text) for name in self.variables}

    def example(self) -> str:
        """Return the text of a point."""
        return ", ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.reference().items()
        )

    def _value(self, name: str, text: str, whole: str) -> Value:
        levels = self.levels(name)
        if levels:
            for level in levels:
                if str(level) == text or (isinstance(level, float) and f"{level:g}" == text):
                    return level  # type: ignore[no-any-return]
            raise InputError(f"predict was {whole!r}: {name} is {listed(map(_shown, levels))}.")
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise InputError(f"predict was {whole!r}: {name} was {text!r}; accepted is a number.")
        return value


def _shown(level: Any) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)


def _position(name: str, formula: str) -> int:
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", formula)
    return found.start() if found else len(formula)


def described(point: Point) -> str:
    """Return a point in words.

    Examples
    --------
    >>> described({"year": 2010.0, "phase": "3"})
    'year = 2010, phase = 3'
    """
    return ", ".join(
        f"{name} = {_number(value) if isinstance(value, float) else value}" for name, value in point.items()
    )


def _number(value: float) -> str:
    return f"{value:.6g}"
