"""Where results go: standard output, or a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from igfmeta.files import write_whole


def emit(text: str, output: Path | None) -> None:
    """Print a text, or write it to a file and say so on standard error."""
    text = text if text.endswith("\n") else text + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    write_whole(output, text)
    print(f"Written: {output}", file=sys.stderr)


def as_json(payload: Any) -> str:
    """Return JSON with full-precision numbers; NaN is refused, because JSON has none."""
    return json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False)
