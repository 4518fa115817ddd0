"""Rewrite every pinned version: `uv run python tools/pin.py`.

Resolves the ranges in `pyproject.toml` for every supported platform and writes the result twice: under
`[tool.uv] constraint-dependencies` (which `uv run` obeys) and into `constraints.txt` (for plain pip). Neither names a
package index, which is why these files are kept and a lock file is not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^constraint-dependencies = \[.*?\]\n", re.MULTILINE | re.DOTALL)
HEADER = "# Every version this project is tested with. Written by tools/pin.py; use: pip install -c constraints.txt .\n"


def resolve(pyproject: Path) -> list[str]:
    """Return the resolved requirements, one `name==version [; marker]` each."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "pyproject.toml"
        bare.write_text(BLOCK.sub("", pyproject.read_text(encoding="utf-8")), encoding="utf-8")
        command = [
            "uv", "pip", "compile", "--universal", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url",
            "--no-emit-find-links", "--all-extras", "--group", f"{bare}:dev", "--python-version", "3.12", str(bare),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        sys.exit(f"uv could not resolve the dependencies:\n{done.stderr}")
    return [line.strip() for line in done.stdout.splitlines() if "==" in line and not line.startswith("#")]


def pinned(text: str, pins: list[str]) -> str:
    """Return the text of pyproject.toml with its constraint block replaced by `pins`."""
    rows = "".join(f'    "{pin}",\n' for pin in (p.replace('"', "'") for p in pins))
    return BLOCK.sub(lambda _: f"constraint-dependencies = [\n{rows}]\n", text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Pin every dependency of this project.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the two lists differ")
    options = parser.parse_args()
    pyproject, constraints = ROOT / "pyproject.toml", ROOT / "constraints.txt"
    text = pyproject.read_text(encoding="utf-8")
    if options.check:
        listed = re.findall(r'^    "(.+)",$', (BLOCK.search(text) or [""])[0], re.MULTILINE)
        written = [line.replace('"', "'") for line in constraints.read_text(encoding="utf-8").splitlines()[1:]]
        return 0 if listed == written and listed else 1
    pins = resolve(pyproject)
    pyproject.write_text(pinned(text, pins), encoding="utf-8")
    constraints.write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"{len(pins)} versions pinned.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
