"""Text from an evidence table made safe to show: no control characters, no direction overrides, no formulas."""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")

_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def plain(text: str) -> str:
    """Return a text without control characters (terminal escapes among them), direction overrides, lone surrogates.

    Examples
    --------
    >>> plain("a\\x1b[31mb\\u202ec")
    'a[31mbc'
    """
    return "".join(c for c in text if c in "\n\t" or not (unicodedata.category(c) in ("Cc", "Cs") or ord(c) in _BIDI))


def one_line(text: str) -> str:
    """Return a text as one line, without characters that cannot be seen.

    Examples
    --------
    >>> one_line(" a\\n b\\x07 ")
    'a b'
    """
    return " ".join(plain(text).split())


def spreadsheet_safe(text: str) -> str:
    """Return a text that a spreadsheet does not read as a formula: an apostrophe goes before `=`, `+`, `-`, `@`.

    A number stays one, whatever its sign.

    Examples
    --------
    >>> spreadsheet_safe("=cmd()"), spreadsheet_safe("-1+cmd()"), spreadsheet_safe("-0.22")
    ("'=cmd()", "'-1+cmd()", '-0.22')
    """
    if _NUMBER.fullmatch(text):
        return text
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
