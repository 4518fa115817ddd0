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


def content_of(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    InputError
        There is no such file, it is a folder or a device (which may have no end), or it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            raise InputError(f"{path} is {kind}; a file is needed here.")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


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
    with _said(path):
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the name of a file to write.")
        place = Path(os.path.realpath(path))
        as_it_is = place.exists() and not place.is_file()
        handle, name = _opened(place, as_it_is)
    try:
        # Without a buffer: what a full disk refuses is known when it is written.
        with os.fdopen(handle, "wb", buffering=0) as stream:

            def write(content: str | bytes) -> None:
                left = memoryview(content.encode("utf-8") if isinstance(content, str) else content)
                with _said(path):
                    while left:
                        left = left[stream.write(left) :]

            yield write
            if not as_it_is:
                with _said(path):
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


def _opened(place: Path, as_it_is: bool) -> tuple[int, str]:
    if as_it_is:
        return os.open(place, os.O_WRONLY), str(place)
    return tempfile.mkstemp(prefix=f".{place.name[:64]}.", dir=place.parent)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}. Choose another place with --output.") from None
