"""Options that were written and that nothing heeds beside the others: refused in a sentence, never passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from igfmeta.errors import InputError, Problem


@dataclass(frozen=True)
class Needs:
    """Options that are heeded only where something else is asked for.

    Attributes
    ----------
    options : tuple of str
        Names of parameters.
    heeded : bool
        Whether it is asked for.
    what : str
        What is missing, as it follows "says nothing without".
    """

    options: Sequence[str]
    heeded: bool
    what: str


def was_written(context: typer.Context, name: str) -> bool:
    """Return whether an option is on the command line, be it with its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def written(context: typer.Context) -> list[str]:
    """Return the parameters that are on the command line."""
    return [name for name in context.params if was_written(context, name)]


def refuse_unheard(context: typer.Context, *needs: Needs) -> None:
    """Refuse options that were written and that nothing heeds, all of them at once."""
    flags = {p.name: max(p.opts, key=len) for p in context.command.params}
    problems = []
    for need in needs:
        unheard = [flags[name] for name in need.options if not need.heeded and was_written(context, name)]
        if unheard:
            verb = "says" if len(unheard) == 1 else "say"
            problems.append(Problem(f"{' and '.join(unheard)} {verb} nothing without {need.what}."))
    if problems:
        raise InputError(problems)
