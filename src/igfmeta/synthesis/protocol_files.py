"""TOML files -> protocols, with everything that is wrong with them at once: file, key, found, accepted."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from igfmeta.errors import InputError, Problem, listed
from igfmeta.evidence.validation import accepted
from igfmeta.files import content_of
from igfmeta.resources import protocol_folder
from igfmeta.synthesis.protocol import Eligibility, Model, Protocol

Loc = Sequence[int | str]

#: How deep protocols may include each other, and what a protocol that is included may be called: nothing with a path.
DEEPEST = 8
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class ProtocolFile:
    """A protocol with the text that it was read from.

    Attributes
    ----------
    name : str
        Of the file, without its suffix.
    text : str
        Verbatim.
    protocol : Protocol
    parts : tuple of ProtocolFile
        The protocols that it includes.
    """

    name: str
    text: str
    protocol: Protocol
    parts: tuple[ProtocolFile, ...] = ()

    @property
    def questions(self) -> tuple[ProtocolFile, ...]:
        """The protocols that ask something: those included, in order, and this one if it does."""
        included = tuple(each for part in self.parts for each in part.questions)
        return (*included, self) if self.protocol.tables else included

    @property
    def texts(self) -> dict[str, str]:
        """The text of this protocol and of every one that it includes, by name."""
        found = {self.name: self.text}
        for part in self.parts:
            found |= part.texts
        return found

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all texts."""
        joined = "".join(f"{name}\n{text}\n" for name, text in sorted(self.texts.items()))
        return hashlib.sha256(joined.encode()).hexdigest()


def shipped_protocols() -> tuple[ProtocolFile, ...]:
    """Return the protocols that igfmeta ships, by name."""
    return tuple(read_protocol(path) for path in sorted(protocol_folder().glob("*.toml")))


def _placed(path: Path) -> Path:
    """Return a path, or that of the shipped protocol which it names where there is no such file."""
    shipped = protocol_folder() / f"{path.stem}.toml"
    named = path.parts[:-1] in ((), ("analyses",)) and path.suffix in ("", ".toml")
    return shipped if named and not path.exists() and shipped.is_file() else path


def read_protocol(path: str | Path) -> ProtocolFile:
    """Read a protocol and those that it includes.

    Parameters
    ----------
    path : str or Path
        A TOML file; or the name of a shipped protocol, such as "overview".

    Raises
    ------
    InputError
        Every problem of every file.

    Examples
    --------
    >>> read_protocol("tki").protocol.model.by
    'tumor'
    """
    path = _placed(Path(path))
    try:
        text = content_of(path).decode("utf-8")
    except (InputError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        shipped = listed(sorted(each.stem for each in protocol_folder().glob("*.toml")))
        message = f"{reason}; give the TOML file of a protocol, or the name of a shipped one: {shipped}."
        raise InputError(Problem(message, file=str(path))) from None
    folder = path.parent
    texts: dict[str, str] = {}

    def included(name: str) -> str | None:
        file = folder / f"{name}.toml"
        if name not in texts and _PLAIN_NAME.fullmatch(name) and file.is_file():
            try:
                texts[name] = content_of(file).decode("utf-8")
            except UnicodeDecodeError:
                raise InputError(Problem("is not UTF-8 text.", file=file.name)) from None
        return texts.get(name)

    return _parsed(path.stem, text, included, ())


def protocol_of_texts(name: str, texts: Mapping[str, str]) -> ProtocolFile:
    """Return a protocol from texts by name, as a report holds them.

    Raises
    ------
    InputError
        Every problem of every text.
    """
    return _parsed(name, texts[name], texts.get, ())


def _parsed(name: str, text: str, included: Any, above: tuple[str, ...]) -> ProtocolFile:
    """Return a protocol; `included` gives the text of another by its name."""
    file = f"{name}.toml"
    values = _toml(text, file)
    problems: list[Problem] = []
    protocol = None
    try:
        protocol = Protocol.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [Problem(_sentence(d, values), file=file, key=_path(d["loc"])) for d in details]
    wanted = protocol.include if protocol else [each for each in values.get("include", ()) if isinstance(each, str)]
    parts: list[ProtocolFile] = []
    for i, other in enumerate(wanted):
        where = Problem("", file=file, key=f"include[{i + 1}]")
        if other in (*above, name):
            problems.append(_at(where, f"{other!r} includes this protocol in turn; leave one of the two out."))
            continue
        if len(above) >= DEEPEST:
            problems.append(_at(where, f"protocols include each other {DEEPEST} deep; include the last ones directly."))
            continue
        if not _PLAIN_NAME.fullmatch(other):
            message = f"found {other!r}; accepted is the name of a protocol beside this one: letters, digits, - and _."
            problems.append(_at(where, message))
            continue
        found = included(other)
        if found is None:
            problems.append(_at(where, f"there is no {other}.toml beside {file}; write it, or leave it out."))
            continue
        try:
            parts.append(_parsed(other, found, included, (*above, name)))
        except InputError as error:
            problems += error.problems
    if protocol is not None:
        problems += [Problem(p.message, file=file, key=p.key) for p in _between_keys(protocol)]
    if problems or protocol is None:
        raise InputError(list(dict.fromkeys(problems)))
    return ProtocolFile(name=name, text=text, protocol=protocol, parts=tuple(parts))


def _at(where: Problem, message: str) -> Problem:
    return Problem(message, file=where.file, key=where.key)


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(f"is not TOML: {str(error)[:1].lower()}{str(error)[1:]}.", file=file)) from None
    except (RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).split(";")[0]
        raise InputError(Problem(f"cannot be read as TOML: {reason}.", file=file)) from None


def _path(loc: Loc) -> str:
    """Return the path of a key as a person counts.

    Examples
    --------
    >>> _path(("outcome", 0, "measure"))
    'outcome[1].measure'
    """
    out = ""
    for part in loc:
        out += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def _found(values: Any, loc: Loc) -> Any:
    for part in loc:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _inner(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, UnionType, tuple) or get_args(annotation):
        for each in get_args(annotation):
            yield from _inner(each)
    else:
        yield annotation


def _accepted_keys(loc: Loc) -> list[str]:
    """Return the keys of the table that holds the last part of a path."""
    model: type[BaseModel] = Protocol
    for part in loc[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            kinds = _inner(model.model_fields[part].annotation)
            model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def _sentence(detail: Any, values: Mapping[str, Any]) -> str:
    """Return what pydantic found, as a sentence that says what is accepted."""
    kind, loc, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        accepted = _accepted_keys(loc)
        near = difflib.get_close_matches(str(loc[-1]), accepted, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"there is no such key; accepted are {listed(accepted)}.{hint}"
    if kind == "missing":
        return "is missing; a value is needed."
    if kind == "value_error":
        return str(context["error"])
    found = _found(values, loc)
    return f"was {found!r}; accepted {_accepted(kind, context)}."


_WORDS = {
    "string": "is a text in quotes",
    "int": "is a whole number",
    "float": "is a number",
    "bool": "are true or false",
    "tuple": "is a list in brackets",
    "too": "is a list with at least one value",
    "model": "is a table of keys",
    "mapping": "is a table of keys",
    "dict": "is a table of keys",
}


def _accepted(kind: str, context: Mapping[str, Any]) -> str:
    return _WORDS.get(kind.split("_")[0]) or accepted(kind, context)


def _between_keys(protocol: Protocol) -> Iterator[Problem]:
    """Yield what is wrong between keys that are right by themselves."""
    if not protocol.tables and not protocol.include:
        yield Problem("asks nothing: it needs an [[outcome]], [[risk]], [[dose]], [[triangulation]] or an include.")
    if protocol.outcome and protocol.question is None:
        yield Problem("is missing; outcomes need the question that they answer.", key="question")
    names = [f"{outcome.name} ({outcome.measure})" for outcome in protocol.outcome]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Problem(f"{name} stands here twice; leave one out.", key=f"outcome[{i + 1}]")
    known = list(dict.fromkeys(outcome.name for outcome in protocol.outcome))
    asked = [("hierarchy.outcomes", protocol.hierarchy.outcomes)] if protocol.hierarchy else []
    asked += [(f"sensitivity[{i + 1}].outcomes", each.outcomes) for i, each in enumerate(protocol.sensitivity)]
    for key, outcomes in asked:
        for name in outcomes or ():
            if name not in known:
                yield Problem(f"{name!r} is no outcome of this protocol; accepted are {listed(known)}.", key=key)
    for i, variant in enumerate(protocol.sensitivity):
        for key, model, given in (("eligibility", Eligibility, variant.eligibility), ("model", Model, variant.model)):
            yield from _wrong_keys(model, given, f"sensitivity[{i + 1}].{key}")


def _wrong_keys(model: type[BaseModel], given: Mapping[str, Any], where: str) -> Iterator[Problem]:
    try:
        model.model_validate(dict(given))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            message = _sentence(detail, given)
            if detail["type"] == "extra_forbidden":
                message = f"there is no such key; accepted are {listed(model.model_fields)}."
            yield Problem(message, key=f"{where}.{_path(detail['loc'])}")
