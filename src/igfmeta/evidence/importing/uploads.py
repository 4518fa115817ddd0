"""Files to import, read with bounds: size, number and names of what an archive holds."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from igfmeta.errors import InputError, Problem

#: Bytes of a file, and of everything in an archive together.
LARGEST, LARGEST_UNPACKED = 100_000_000, 200_000_000
MEMBERS = 500
PART = "import a part of it, or, of AACT, one study by --study NCT."


@dataclass(frozen=True)
class Upload:
    """A file or the text files of a folder or archive, in memory."""

    file: str
    data: bytes
    members: Mapping[str, bytes] = field(default_factory=dict)
    sheet: str | None = None

    def text(self) -> str:
        """Return the file as text."""
        return as_text(self.data, self.file)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file; of a folder, of the names and contents of its files in order."""
        if self.data:
            return hashlib.sha256(self.data).hexdigest()
        total = hashlib.sha256()
        for name, content in sorted(self.members.items()):
            total.update(f"{name}\0{len(content)}\0".encode() + content)
        return total.hexdigest()


def as_text(data: bytes, file: str) -> str:
    """Return text in UTF-8, or say which byte is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            Problem(f"holds byte {data[error.start]:#04x}, which is not UTF-8; save it as UTF-8.", file, line)
        ) from None


def read_upload(path: Path, *, sheet: str | None = None) -> Upload:
    """Return a file or folder as an upload.

    Raises
    ------
    InputError
        Not there, not readable, too large; an archive with too much in it, or names that lead out of it.
    """
    try:
        if path.is_dir():
            return Upload(path.name, b"", _folder(path), sheet)
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is a device or a pipe; a file is needed here.")
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(data) > LARGEST:
        raise InputError(Problem(f"is larger than {LARGEST // 10**6} MB; {PART}", path.name))
    if not data.strip():
        raise InputError(Problem("is empty.", path.name))
    members = unpacked(data, path.name) if data[:4] == b"PK\x03\x04" else {}
    return Upload(path.name, data, members, sheet)


def _folder(path: Path) -> dict[str, bytes]:
    files = sorted(p for p in path.iterdir() if p.suffix in (".txt", ".csv") and p.is_file())
    if len(files) > MEMBERS or sum(p.stat().st_size for p in files) > LARGEST_UNPACKED:
        raise InputError(f"{path} holds more than {MEMBERS} files or {LARGEST_UNPACKED // 10**6} MB; {PART}")
    return {p.name: p.read_bytes() for p in files}


def unpacked(data: bytes, file: str) -> dict[str, bytes]:
    """Return the members of a zip archive by their last name, within the bounds.

    What a header says of sizes is not believed: reading stops where the bound is passed.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise InputError(Problem(f"is no zip archive that can be read ({error}).", file)) from None
    if len(entries) > MEMBERS:
        raise InputError(Problem(f"holds {len(entries)} files; accepted are at most {MEMBERS}.", file))
    out: dict[str, bytes] = {}
    room = LARGEST_UNPACKED
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in entry.filename:
            raise InputError(Problem(f"holds a file named {entry.filename!r}, which leads out of the archive.", file))
        if entry.flag_bits & 1:
            raise InputError(Problem(f"holds {entry.filename!r} behind a password; unpack it first.", file))
        try:
            with archive.open(entry) as stream:
                content = stream.read(room + 1)
        except Exception as error:
            raise InputError(Problem(f"holds {entry.filename!r}, which cannot be unpacked ({error}).", file)) from None
        room -= len(content)
        if room < 0:
            raise InputError(Problem(f"unpacks to more than {LARGEST_UNPACKED // 10**6} MB; {PART}", file))
        out[str(name)] = content
    return out
