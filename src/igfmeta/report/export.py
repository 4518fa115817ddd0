"""A report as a set of files: the page, Markdown, tables as CSV, figures, fits as JSON, draws as netCDF, its inputs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igfmeta.errors import InputError
from igfmeta.files import write_whole
from igfmeta.report.content import Report
from igfmeta.report.document import FIGURES, figures_of, report_to_markdown, tables_of
from igfmeta.report.html import report_to_html
from igfmeta.report.spreadsheet import table_to_csv

if TYPE_CHECKING:
    import xarray as xr

#: What a report was made from, in the set of files.
PROVENANCE = "provenance.json"

#: Attributes of draws that a clock writes.
CLOCK = ("created_at", "sampling_time", "tuning_time")


def files_of(report: Report, evidence: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a report by path; the same report gives the same bytes.

    Parameters
    ----------
    report : Report
    evidence : mapping of str to bytes
        The files that the report was made from, by name; see `evidence_files`.

    Returns
    -------
    dict of str to bytes
        `report.html`, `report.md`, `tables/*.csv`, `figures/*.svg`, `fits/*.json`, `posteriors/*.nc` where a model was
        sampled, `protocols/*.toml`, `evidence/*` and `provenance.json`.
    """
    texts = {
        "report.html": report_to_html(report),
        "report.md": report_to_markdown(report),
        PROVENANCE: _json(report.provenance.to_dict()),
        **{f"tables/{key}.csv": table_to_csv(table) for key, table in tables_of(report).items()},
        **{f"{FIGURES}/{key}.svg": svg for key, svg in figures_of(report).items()},
        **{f"fits/{name}.json": _json(fit.to_dict()) for name, fit in report.fits.items()},
        **{f"protocols/{name}.toml": text for name, text in report.provenance.protocols.items()},
    }
    files = {name: text.encode() for name, text in texts.items()}
    files |= {f"posteriors/{name}.nc": draws for name, draws in _posteriors(report).items()}
    return files | {f"evidence/{name}": content for name, content in evidence.items()}


def _json(payload: Any) -> str:
    return json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _posteriors(report: Report) -> dict[str, bytes]:
    """Return the draws of every model that was sampled."""
    sampled = {name: getattr(fit, "sampled", None) for name, fit in report.fits.items()}
    return {name: _netcdf(draws.tree) for name, draws in sampled.items() if draws is not None}


def _netcdf(tree: xr.DataTree) -> bytes:
    """Return draws as netCDF: the same bytes whether they were just drawn or kept, and without the time of day."""
    import xarray as xr

    def timeless(dataset: xr.Dataset) -> xr.Dataset:
        # What was read from a file remembers how it was stored there, and would be stored so again.
        fresh = dataset.drop_encoding()
        return fresh.drop_attrs(deep=False).assign_attrs({k: v for k, v in fresh.attrs.items() if k not in CLOCK})

    # Types of text differ before and after a file: what is written has been through one.
    written = io.BytesIO(bytes(tree.map_over_datasets(timeless).to_netcdf(engine="h5netcdf")))
    with xr.open_datatree(written, engine="h5netcdf") as stored:
        return bytes(stored.load().map_over_datasets(timeless).to_netcdf(engine="h5netcdf"))


def evidence_files(place: Path, hashes: Mapping[str, str]) -> dict[str, bytes]:
    """Return the evidence files that a report was made from, by name.

    Parameters
    ----------
    place : Path
        The folder, or the one file.
    hashes : mapping
        SHA-256 of each file as it was read.

    Raises
    ------
    InputError
        A file that is not what was read.
    """
    found = {}
    for name, known in hashes.items():
        path = place / name if place.is_dir() else place
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != known:
            raise InputError(f"{path} changed while the report was made; make it again.")
        found[name] = content
    return found


def check_folder(folder: Path) -> None:
    """Refuse, before the work is done, a folder that holds something already or cannot be made.

    Raises
    ------
    InputError
    """
    if folder.is_file():
        raise InputError(f"{folder} is a file; give a folder, new or empty.")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"The folder {folder} holds files already; give one that is new or empty.")
    if not folder.parent.is_dir():
        raise InputError(f"{folder} cannot be made: there is no folder {folder.parent}.")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by path into a folder, new or empty, that appears whole or not at all.

    Raises
    ------
    InputError
        The place cannot be written to, or is full.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name[:64]}.", dir=folder.parent))
        try:
            for name, content in files.items():
                path = made / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
            umask = os.umask(0)
            os.umask(umask)
            made.chmod(0o777 & ~umask)
            made.replace(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.") from None
