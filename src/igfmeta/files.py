"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    with whole_file(path) as write:
        write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[Callable[[str | bytes], None]]:
    """Give a function that writes, part after part, what stands at `path` once the block has ended.

    Until then, and where the block is left by an error or the process is killed, what stood there before still does.
    A device or a pipe is written to as it is; behind a link the file that it points to is renewed.

    Raises
    ------
    InputError
        The place cannot be written to, or is full.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file to write.")
    place = Path(os.path.realpath(path))
    as_it_is = place.exists() and not place.is_file()
    handle, name = _opened(place, path, as_it_is)
    try:
        with os.fdopen(handle, "wb") as stream:

            def write(content: str | bytes) -> None:
                with _said(path):
                    stream.write(content.encode("utf-8") if isinstance(content, str) else content)

            yield write
            with _said(path):
                stream.flush()
                if not as_it_is:
                    os.fsync(handle)
        if not as_it_is:
            with _said(path):
                umask = os.umask(0)
                os.umask(umask)
                Path(name).chmod(0o666 & ~umask)
                Path(name).replace(place)
    finally:
        if not as_it_is:
            Path(name).unlink(missing_ok=True)


def _opened(place: Path, path: Path, as_it_is: bool) -> tuple[int, str]:
    try:
        if as_it_is:
            return os.open(place, os.O_WRONLY), str(place)
        return tempfile.mkstemp(prefix=f".{place.name[:64]}.", dir=place.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}. Choose another place with --output.") from None


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
