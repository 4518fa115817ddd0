"""The page of results: one script writes its main part, others a section each, and none loses what is not its own."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parent / "RESULTS.md"

_SECTION = r"<!-- section: {name} -->\n.*?<!-- end of section -->\n"


def write_page(main: str) -> None:
    """Write the main part, and keep the sections of others after it."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    kept = re.findall(_SECTION.format(name=r"[\w ]+"), before, flags=re.DOTALL)
    PAGE.write_text("\n".join([main, *kept]), encoding="utf-8")


def write_section(name: str, text: str) -> None:
    """Write the section of this name, in the place where it was or at the end."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    section = f"<!-- section: {name} -->\n{text.rstrip()}\n<!-- end of section -->\n"
    pattern = re.compile(_SECTION.format(name=re.escape(name)), flags=re.DOTALL)
    if pattern.search(page):
        page = pattern.sub(lambda _: section, page)
    else:
        page = f"{page.rstrip()}\n\n{section}" if page else section
    PAGE.write_text(page, encoding="utf-8")
