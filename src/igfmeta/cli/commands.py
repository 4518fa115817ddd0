"""The commands by name, each loaded when it is asked for: what a command line does not name costs it nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from igfmeta.version import __version__

#: In the order of `--help`: where the function of each command stands.
COMMANDS = {
    "pool": "pool:pool",
    "fit": "fit:fit",
    "forest": "forest:forest",
    "influence": "influence:influence",
    "average": "average:average",
    "regress": "regress:regress",
    "multilevel": "multilevel:multilevel",
    "robust": "robust:robust",
    "bias": "bias:bias",
    "sensitivity": "sensitivity:sensitivity",
    "bayes": "bayes:bayes",
    "joint": "joint:joint",
    "diagnose": "diagnose:diagnose",
    "predict": "decisions:predict",
    "assurance": "decisions:assurance",
    "worth": "decisions:worth",
    "risk": "risk:risk",
    "dose": "dose:dose",
    "triangulate": "triangulate:triangulate",
    "km": "km:km",
    "audit": "audit:audit",
    "import": "import_:import_",
    "rob": "rob:rob",
    "report": "report:report",
    "verify": "report:verify",
    "diff": "diff:diff",
}
#: Commands with commands of their own.
GROUPS = {"evidence": "evidence:evidence_app", "protocol": "protocol:protocol_app"}


def build(names: Iterable[str] = (*COMMANDS, *GROUPS)) -> typer.Typer:
    """Return the command line with these commands, by default with all."""
    app = typer.Typer(
        name="igfmeta",
        help="Pool clinical-trial results with frequentist and Bayesian models side by side.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in names:
        if name in COMMANDS:
            app.command(name)(_loaded(COMMANDS[name]))
        else:
            app.add_typer(_loaded(GROUPS[name]), name=name)
    return app


def asked_for(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line with the one command that is named; with all where none is, or one that is not known.

    Examples
    --------
    >>> [command.name for command in asked_for(["--debug", "km", "points.csv"]).registered_commands]
    ['km']
    """
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    return build([named]) if named in COMMANDS or named in GROUPS else build()


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"igfmeta.cli.{module}"), name)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"igfmeta {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command; both act before a command runs (`--debug` in `igfmeta.cli.app.main`)."""
