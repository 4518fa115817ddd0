"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from igfmeta.errors import InputError, listed


def check_place(path: Path, suffixes: Sequence[str]) -> None:
    """Refuse, before the work is done, a file whose suffix is not accepted or whose folder does not exist."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"The file {path.name!r} ends in {path.suffix or 'nothing'}; accepted is {listed(suffixes)}.")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name beside its place and rename it, so that no half-written file is left."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file to write.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}. Choose another place with --output.") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        Path(name).unlink(missing_ok=True)
