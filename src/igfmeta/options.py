"""Options that callers of Python give as one text or as several."""

from __future__ import annotations

from collections.abc import Iterable


def several(given: str | Iterable[str] | None, *, parted: bool = True) -> tuple[str, ...]:
    """Return an option that is one text or several; `parted` at commas.

    Examples
    --------
    >>> several("phase, class"), several(None), several("~ 1 | study", parted=False)
    (('phase', 'class'), (), ('~ 1 | study',))
    """
    texts = [given] if isinstance(given, str) else list(given or ())
    return tuple(part.strip() for text in texts for part in (text.split(",") if parted else [text]))
