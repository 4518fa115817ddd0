"""What igfmeta says when it cannot go on: every error is a sentence, and all problems come at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes
    ----------
    message : str
        A sentence: what is wrong, what was found, what is accepted, what to do.
    file, row, column : optional
        Where. `row` counts as a spreadsheet does: the header is row 1.
    key : optional
        Where in a protocol: the path of a key, such as `outcome[1].measure`.
    """

    message: str
    file: str | None = None
    row: int | None = None
    column: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row is not None else None
        column = f"column {self.column}" if self.column is not None else None
        where = ", ".join(part for part in (self.file, row, column, self.key) if part)
        return f"{where}: {self.message}" if where else self.message


class IgfmetaError(Exception):
    """The base of every error that igfmeta raises on purpose. `exit_status` is what the command line returns."""

    exit_status = 1


class InputError(IgfmetaError, ValueError):
    """The input or an option cannot be used; `problems` lists everything that is wrong with it."""

    exit_status = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NothingToPool(IgfmetaError):
    """The input is valid and holds no answer: no usable study is left. The message says why."""

    exit_status = 3


def listed(accepted: Iterable[object]) -> str:
    """Return `a, b or c`, for sentences that say what is accepted.

    Examples
    --------
    >>> listed(["DL", "ML", "REML"])
    'DL, ML or REML'
    """
    names = [str(name) for name in accepted]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def check_choice(option: str, value: object, accepted: Sequence[str]) -> str:
    """Return `value` if it is one of `accepted`, ignoring case; otherwise raise a sentence that lists them.

    Examples
    --------
    >>> check_choice("method", "reml", ["DL", "REML"])
    'REML'
    """
    by_folded = {name.casefold(): name for name in accepted}
    if not isinstance(value, str) or value.casefold() not in by_folded:
        raise InputError(f"{option} was {value!r}; accepted are {listed(accepted)}.")
    return by_folded[value.casefold()]


def check_level(level: object) -> float:
    """Return a confidence level as a number strictly between 0 and 1; 95 is refused with the hint to write 0.95."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise InputError(f"level was {level!r}; accepted is a number between 0 and 1, such as 0.95.")
    return float(level)
