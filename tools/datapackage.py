"""Write data/datapackage.json from the row models: a Frictionless Table Schema of each table.

python tools/datapackage.py            write it
python tools/datapackage.py --check    fail if it differs from what would be written
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from igfmeta.evidence.schema import FOREIGN_KEYS, PRIMARY_KEYS, TABLES
from igfmeta.version import __version__

TARGET = Path(__file__).parents[1] / "data" / "datapackage.json"

TITLES = {
    "trials": "Trial results: one row per study, comparison and outcome",
    "associations": "Associations between circulating markers and cancer risk",
    "dose_response": "Dose-response tables: one row per exposure group",
    "sources": "Sources of every number",
    "agents": "Agents",
    "agent_classes": "Classes of agents",
    "tumors": "Types of tumour",
    "outcomes": "Outcomes",
    "risk_of_bias": "Risk of bias: one row per study, tool and domain",
}

_CONSTRAINTS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusiveMinimum",
    "exclusiveMaximum": "exclusiveMaximum",
    "pattern": "pattern",
    "enum": "enum",
}


def _variant(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a column holds where it is not blank."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    found: dict[str, Any] = options[0]
    return {"type": "string", "enum": [found["const"]]} if "const" in found else found


def field(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """Return the Frictionless field of a column."""
    kind = _variant(schema)
    constraints: dict[str, Any] = {_CONSTRAINTS[key]: kind[key] for key in _CONSTRAINTS if key in kind}
    if "pattern" in constraints:
        constraints["pattern"] = constraints["pattern"].removeprefix("^").removesuffix("$")
    out: dict[str, Any] = {"name": name, "type": kind["type"], "description": schema["description"]}
    if "unit" in schema:
        out["unit"] = schema["unit"]
    return {**out, "constraints": {"required": required, **constraints}}


def resource(name: str) -> dict[str, Any]:
    """Return the Frictionless resource of a table."""
    model = TABLES[name]
    properties = model.model_json_schema()["properties"]
    schema: dict[str, Any] = {
        "fields": [field(n, properties[n], f.is_required()) for n, f in model.model_fields.items()],
        "missingValues": [""],
    }
    if name in PRIMARY_KEYS:
        schema["primaryKey"] = PRIMARY_KEYS[name]
    keys = FOREIGN_KEYS.get(name, {})
    if keys:
        schema["foreignKeys"] = [
            {"fields": column, "reference": {"resource": table, "fields": PRIMARY_KEYS[table]}}
            for column, table in keys.items()
        ]
    return {
        "name": name,
        "title": TITLES[name],
        "path": f"{name}.csv",
        "format": "csv",
        "encoding": "utf-8",
        "schema": schema,
    }


def package() -> dict[str, Any]:
    """Return the whole data package."""
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "igfmeta-evidence",
        "title": "Trials of IGF-1 receptor agents in cancer, and circulating IGF-1 and cancer risk",
        "version": __version__,
        "licenses": [
            {
                "name": "CC-BY-4.0",
                "title": "Creative Commons Attribution 4.0",
                "path": "https://creativecommons.org/licenses/by/4.0/",
            }
        ],
        "resources": [resource(name) for name in TABLES],
    }


def main() -> int:
    """Write or check the file; return the exit status."""
    wanted = json.dumps(package(), indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == wanted
        print("data/datapackage.json is up to date." if same else "Run python tools/datapackage.py.")
        return 0 if same else 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
