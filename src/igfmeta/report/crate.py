"""A report as a bundle: its files in a zipped RO-Crate (https://w3id.org/ro/crate), which says what each of them is."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from igfmeta.errors import InputError
from igfmeta.report.content import Report
from igfmeta.text import plain

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

METADATA = "ro-crate-metadata.json"

#: Stands for no date, in the archive and in its metadata: the first that a zip file can hold.
NO_DATE = (1980, 1, 1, 0, 0, 0)
NO_DAY = "1980-01-01"

#: The licence of the evidence that igfmeta ships.
SHIPPED = "shipped evidence"
LICENCE = "https://creativecommons.org/licenses/by/4.0/"

#: Suffix -> media type.
MEDIA = {".html": "text/html", ".md": "text/markdown", ".csv": "text/csv", ".svg": "image/svg+xml",
         ".json": "application/json", ".nc": "application/x-netcdf", ".toml": "application/toml",
         ".parquet": "application/vnd.apache.parquet",
         ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}  # fmt: skip

#: Folder -> what its files are.
WHAT = {"tables": "Table of the report", "figures": "Figure of the report", "fits": "Fit, every number of it",
        "posteriors": "Draws of a posterior", "protocols": "Protocol", "evidence": "Evidence table"}  # fmt: skip
OWN = {"report.html": "The report, as one page", "report.md": "The report, as Markdown",
       "provenance.json": "What the report was made from: hashes, protocols, versions"}  # fmt: skip


def bundle(report: Report, files: Mapping[str, bytes]) -> bytes:
    """Return files of a report as a zipped RO-Crate; the same files give the same bytes.

    Parameters
    ----------
    report : Report
    files : mapping of str to bytes
        By path; see `igfmeta.report.export.files_of`.

    Raises
    ------
    InputError
        The library rocrate is not installed.
    """
    metadata = json.dumps(_crate(report, files).metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in sorted({**files, METADATA: f"{metadata}\n".encode()}.items()):
            entry = zipfile.ZipInfo(name, NO_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def check_rocrate() -> None:
    """Refuse, before the work is done, where the library is missing.

    Raises
    ------
    InputError
    """
    from importlib.util import find_spec

    if find_spec("rocrate") is None:
        raise InputError("A bundle needs the library rocrate: pip install 'igfmeta[bundle]'.")


def _crate(report: Report, files: Mapping[str, bytes]) -> ROCrate:
    """Return the crate: each file with its kind and size, and the run that made the report from protocol and evidence.

    The run is a `CreateAction` as in the Process Run Crate profile: object is what went in, result what came out,
    instrument the software.
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate, made = ROCrate(), report.provenance
    inputs: list[Any] = []
    outputs: list[Any] = []
    for name, content in sorted(files.items()):
        folder, _, rest = name.rpartition("/")
        suffix = f".{name.rpartition('.')[2]}"
        entity = crate.add_file(dest_path=name, properties={
            "name": f"{WHAT[folder]}: {rest}" if folder else OWN[name],
            "encodingFormat": MEDIA.get(suffix, "application/octet-stream"),
            "contentSize": str(len(content)),
            **({"sha256": made.files[rest]} if folder == "evidence" else {}),
        })  # fmt: skip
        (inputs if folder in ("evidence", "protocols") else outputs).append(entity)
    tools = [crate.add(ContextEntity(crate, f"#{name}", properties={
        "@type": "SoftwareApplication", "name": name, "softwareVersion": version,
    })) for name, version in made.software.items()]  # fmt: skip
    authors = [crate.add(ContextEntity(crate, f"#author-{i + 1}", properties={"@type": "Person", "name": plain(name)}))
               for i, name in enumerate(report.authors)]  # fmt: skip
    run = crate.add(ContextEntity(crate, "#run", properties={
        "@type": "CreateAction", "name": f"igfmeta report {made.protocol}",
        "description": f"Evidence SHA-256 {made.fingerprint}; protocol SHA-256 {made.protocol_fingerprint}.",
    }))  # fmt: skip
    run["instrument"], run["object"], run["result"] = tools[0], inputs, outputs
    run["softwareRequirements"] = tools[1:]
    _describe(crate, report, authors, run)
    return crate


def _describe(crate: ROCrate, report: Report, authors: list[Any], run: Any) -> None:
    from rocrate.model.contextentity import ContextEntity

    root, stamp = crate.root_dataset, report.provenance.stamp
    root["name"] = plain(report.title)
    said = " ".join([report.question, *report.answers])
    root["description"] = plain(said) if stamp else plain(f"{said} ({NO_DAY} stands for no date.)")
    root["datePublished"] = stamp[:10] if stamp else NO_DAY
    if report.provenance.evidence == SHIPPED:
        root["license"] = crate.add(ContextEntity(crate, LICENCE, properties={
            "@type": "CreativeWork", "name": "Creative Commons Attribution 4.0 International",
        }))  # fmt: skip
    else:
        root["license"] = "Not stated: the evidence is not that of igfmeta."
    root["mainEntity"] = crate.get("report.html")
    root["mentions"] = run
    if authors:
        root["author"] = authors
