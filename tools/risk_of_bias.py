"""Write the derived rows of data/risk_of_bias.csv: only what the trials table itself supports.

python tools/risk_of_bias.py            write them; rows that people judged (derived is blank) stay as they are
python tools/risk_of_bias.py --check    fail if the file differs from what would be written

The rules, for studies with a row that may enter a pool, or whose source is retracted:

blinding        of randomized trials, the column `blinding`: double_blind low, open_label some, unknown unclear
early_stopping  of randomized trials, some where a note says that the trial was stopped, closed or unblinded early;
                low where that was for slow accrual
subset          high where the patients of a usable row are a subset by its own words
retraction      high where the source of a row is retracted; the absence of a notice is no judgement
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from igfmeta.evidence.schema import TABLES

DATA = Path(__file__).parents[1] / "data"
TARGET = DATA / "risk_of_bias.csv"
TOOL = "evidence table"

Row = dict[str, str]

BLINDING = {
    "double_blind": ("low", "double-blind"),
    "open_label": ("some", "open label: progression and response may be read with the arm in mind"),
    "unknown": ("unclear", "blinding not stated where seen"),
}
STOPPED = re.compile(
    r"(stopped (early|for futility|on DMC advice)|closed early|unblinded early|terminated)[^.;]*", re.IGNORECASE
)
SUBSET = re.compile(r"\b(subset|subgroup|biomarker-evaluable)\b[^;]*", re.IGNORECASE)


def read(name: str) -> list[Row]:
    """Return the rows of a table."""
    path = DATA / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def judged(study: str, domain: str, judgement: str, support: str, row: Row) -> Row:
    """Return a row of the table."""
    return {"study_id": study, "tool": TOOL, "domain": domain, "judgement": judgement, "support": support,
            "derived": row["row_id"]}  # fmt: skip


def of_study(study: str, rows: Sequence[Row], retracted: set[str]) -> Iterator[Row]:
    """Yield what the rows of a study support."""
    used = [row for row in rows if row["use"] != "exclude"]
    randomized = [row for row in used if row["design"] == "randomized"]
    for row in randomized[:1]:
        judgement, words = BLINDING[row["blinding"]]
        yield judged(study, "blinding", judgement, words, row)
    for row in randomized:
        if found := STOPPED.search(row["note"]):
            # A trial that stops because too few enter does not stop because of what it saw.
            judgement = "low" if "accrual" in found[0] else "some"
            yield judged(study, "early_stopping", judgement, f"note: {found[0].strip()}", row)
            break
    for row in used:
        if found := SUBSET.search(f"{row['population']}; {row['tumor_subtype']}"):
            yield judged(study, "subset", "high", f"patients: {found[0].strip()}", row)
            break
    for row in rows:
        if row["source_id"] in retracted:
            yield judged(study, "retraction", "high", f"source {row['source_id']} is retracted", row)
            break


def table() -> str:
    """Return the file as it should be."""
    retracted = {row["source_id"] for row in read("sources") if row["status"] == "retracted"}
    studies: dict[str, list[Row]] = {}
    for row in read("trials"):
        studies.setdefault(row["study_id"], []).append(row)
    rows = [row for row in read("risk_of_bias") if not row["derived"]]
    for study, own in sorted(studies.items()):
        rows += of_study(study, own, retracted)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(TABLES["risk_of_bias"].model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def main() -> int:
    """Write or check the file; return the exit status."""
    wanted = table()
    if "--check" in sys.argv[1:]:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == wanted
        print("data/risk_of_bias.csv is up to date." if same else "Run python tools/risk_of_bias.py.")
        return 0 if same else 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
