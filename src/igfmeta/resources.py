"""Where evidence, protocols and templates lie: inside an installed package, or at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

from igfmeta.errors import IgfmetaError

_PACKAGE = Path(__file__).resolve().parent


def _folder(installed: str, checkout: str) -> Path:
    for folder in (_PACKAGE / installed, _PACKAGE.parents[1] / checkout):
        if folder.is_dir():
            return folder
    raise IgfmetaError(f"The folder {installed!r} of igfmeta is missing; install the package again.")


def data_folder() -> Path:
    """Return the folder of the shipped evidence tables and published priors."""
    return _folder("data", "data")


def template_folder() -> Path:
    """Return the folder of the HTML templates and the stylesheet."""
    return _folder("templates", "reports/templates")


def protocol_folder() -> Path:
    """Return the folder of the shipped protocols."""
    return _folder("analyses", "analyses")
