"""Rows of text -> typed rows by the pydantic models, every problem of every cell as a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError, create_model

from igfmeta.errors import Problem
from igfmeta.evidence.columns import missing_column, not_a_number
from igfmeta.evidence.reading import RawTable
from igfmeta.evidence.schema import REQUIRED_COLUMNS, TABLES, Row, number_columns

Values = dict[str, Any]


def _model(table: str, header: Sequence[str]) -> type[Row]:
    """Return the row model; columns that are absent altogether are not asked of each row."""
    needed = [name for name, field in TABLES[table].model_fields.items() if field.is_required()]
    return _without(TABLES[table], tuple(name for name in needed if name not in header))


@cache
def _without(model: type[Row], absent: tuple[str, ...]) -> type[Row]:
    """Return a model that does not ask for some columns."""
    if not absent:
        return model
    blank: dict[str, Any] = dict.fromkeys(absent, (str, ""))
    return create_model(f"{model.__name__}Partial", __base__=model, **blank)


@cache
def _lenient(model: type[Row]) -> type[Row]:
    """Return a model in which every column may be missing."""
    fallback: dict[str, Any] = {
        n: (field.annotation, None) for n, field in model.model_fields.items() if field.is_required()
    }
    return create_model("Lenient", __base__=model, **fallback)


@cache
def _rows_of(model: type[Row]) -> TypeAdapter[list[Row]]:
    """Return what reads rows by a model."""
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def column_problems(table: str, raw: RawTable) -> list[Problem]:
    """Return the required columns that are not there."""
    return [missing_column(n, raw.header, raw.file) for n in REQUIRED_COLUMNS[table] if n not in raw.header]


def with_defaults(table: str, raw: RawTable) -> list[dict[str, str]]:
    """Return the records of a table; a trials table without `row_id` or `use` gets them: STUDY-NN, and primary."""
    records = raw.records()
    if table in ("trials", "associations"):
        seen: dict[str, int] = {}
        for record in records:
            study = record.get("study_id", "")
            seen[study] = seen.get(study, 0) + 1
            if "row_id" not in raw.header:
                record["row_id"] = f"{study}-{seen[study]:02d}"
            if "use" not in raw.header:
                record["use"] = "primary"
    return records


def typed_rows(table: str, raw: RawTable) -> tuple[list[Values], list[Problem]]:
    """Return the rows as values, and what is wrong with their cells; a bad cell is left out of its row's values."""
    header = [*raw.header, "row_id", "use"] if table in ("trials", "associations") else raw.header
    model = _model(table, header)
    records = with_defaults(table, raw)
    odd = {(i, n) for n in number_columns(table) for i, record in enumerate(records) if "_" in record.get(n, "")}
    try:
        rows = _rows_of(model).validate_python(records)
    except ValidationError as error:
        return _despite(error.errors(include_url=False), odd, model, records, raw)
    return ([dict(row) for row in rows], []) if not odd else _despite([], odd, model, records, raw)


def _despite(
    details: Sequence[Mapping[str, Any]],
    odd: set[tuple[int, str]],
    model: type[Row],
    records: list[dict[str, str]],
    raw: RawTable,
) -> tuple[list[Values], list[Problem]]:
    """Return what can be read although some cells cannot, so that the other checks see every row.

    `odd` holds the cells that Python takes for numbers and nobody else does, such as 1_000.
    """
    problems, bad = [], set(odd)
    for i, column in sorted(odd):
        message = not_a_number(records[i][column]) or "is not a number."
        problems.append(Problem(message, file=raw.file, row=raw.numbers[i], column=column))
    for detail in details:
        position, column = int(detail["loc"][0]), str(detail["loc"][1])
        if (position, column) in bad:
            continue
        bad.add((position, column))
        message = _sentence(detail, records[position].get(column))
        problems.append(Problem(message, file=raw.file, row=raw.numbers[position], column=column))
    lenient = _lenient(model)
    good = [{n: v for n, v in record.items() if (i, n) not in bad} for i, record in enumerate(records)]
    return [dict(lenient.model_validate(record)) for record in good], problems


def _sentence(detail: Mapping[str, Any], found: str | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing" or found is None:
        return "is blank; a value is needed."
    if kind.startswith(("float", "int", "finite")):
        reason = not_a_number(found)
        return reason or f"found {found!r}; accepted is a whole number, or nothing."
    return f"found {found!r}; accepted {accepted(kind, context)}."


def accepted(kind: str, context: Mapping[str, Any]) -> str:
    """Return what pydantic accepts where it found an error of a kind, to stand after the word "accepted"."""
    bounds = {
        "greater_than": ("gt", "is a number above {}"),
        "greater_than_equal": ("ge", "is a number not below {}"),
        "less_than": ("lt", "is a number below {}"),
        "less_than_equal": ("le", "is a number up to {}"),
    }
    if kind in bounds:
        name, text = bounds[kind]
        return text.format(f"{context[name]:g}")
    if kind == "literal_error":
        return f"are {context['expected'].replace(chr(39), '')}"
    if kind == "string_pattern_mismatch":
        return _patterns().get(context["pattern"], f"is text of the form {context['pattern']}")
    return "is another value (" + str(kind).replace("_", " ") + ")"


def _patterns() -> dict[str, str]:
    """Return what the patterns of the schema mean, in words."""
    return dict(_described())


def _described() -> Iterator[tuple[str, str]]:
    words = {
        ("trials", "p_value"): "is a p-value: a number from 0 to 1, or one after <, <=, > or >=",
        ("trials", "partners"): "are chemotherapy, endocrine, targeted, other, joined by +",
        ("sources", "pmid"): "is a PubMed identifier, digits only",
        ("sources", "doi"): "is a DOI, which begins with 10.",
    }
    for (table, column), text in words.items():
        schema = TABLES[table].model_json_schema()["properties"][column]
        options = schema.get("anyOf", [schema])
        yield from ((option["pattern"], text) for option in options if "pattern" in option)
