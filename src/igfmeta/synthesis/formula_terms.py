"""What a formula may hold: columns, arithmetic, a list of functions. It may come from somebody else's file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from igfmeta.errors import InputError, listed

#: Functions of formulaic that a formula may call.
FUNCTIONS = (
    "C", "I", "log", "log2", "log10", "exp", "center", "scale", "standardize", "poly", "bs", "cr", "cc", "cs",
)  # fmt: skip

#: Codings of a factor, as in C(phase, contr.sum).
CODINGS = ("treatment", "SAS", "sum", "helmert", "diff", "poly")

#: Functions of NumPy under their own names, as in np.sqrt(n).
NUMPY = ("log", "log2", "log10", "log1p", "exp", "sqrt", "abs")

_PLAIN = (
    ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Load, ast.keyword, ast.UnaryOp, ast.operator, ast.unaryop,
)  # fmt: skip

#: Arithmetic, and the largest power: numbers alone could otherwise fill the memory, as in 9**9**9**9.
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
HIGHEST_POWER = 20


def columns_of_factors(formula: str, factors: Iterable[Any], option: str = "mods") -> list[str]:
    """Return the columns that factors of a formula need.

    Parameters
    ----------
    formula : str
        As the user wrote it, for messages.
    factors : iterable of formulaic.parser.types.Factor
    option : str
        What the formula is called in messages.

    Raises
    ------
    InputError
        A factor that holds more than columns, numbers, arithmetic and the functions listed.
    """
    found: set[str] = set()
    for factor in factors:
        kind = factor.eval_method.value
        if kind == "lookup":
            found.add(factor.expr)
        elif kind == "python":
            found.update(_names(f"{option} was {formula!r}", factor.expr))
    return sorted(found)


def _names(given: str, text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise InputError(f"{given}, in which {text!r} cannot be read.") from None
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _known(node):
            roots.add(id(node.value))
        elif isinstance(node, ast.Name):
            if id(node) in roots or (id(node) in called and node.id in FUNCTIONS):
                continue
            if id(node) in called:
                raise _refused(given, f"{node.id}(...)")
            yield node.id
        elif isinstance(node, ast.Call):
            if not isinstance(node.func, (ast.Name, ast.Attribute)):
                raise _refused(given, ast.unparse(node))
        elif isinstance(node, ast.BinOp):
            if not _is_arithmetic(node):
                raise _refused(given, ast.unparse(node))
        elif not isinstance(node, _PLAIN):
            raise _refused(given, ast.unparse(node) if isinstance(node, ast.expr) else text)


def _is_arithmetic(node: ast.BinOp) -> bool:
    """Whether columns and numbers are combined, a power being a small number."""
    lists = (ast.List, ast.Tuple)
    for part in (node.left, node.right):
        if isinstance(part, lists) or (isinstance(part, ast.Constant) and not isinstance(part.value, (int, float))):
            return False
    if not isinstance(node.op, ast.Pow):
        return isinstance(node.op, OPERATORS)
    power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    return isinstance(power, ast.Constant) and isinstance(power.value, (int, float)) and power.value <= HIGHEST_POWER


def _known(node: ast.Attribute) -> bool:
    owner = node.value.id if isinstance(node.value, ast.Name) else None
    return (owner == "contr" and node.attr in CODINGS) or (owner == "np" and node.attr in NUMPY)


def _refused(given: str, what: str) -> InputError:
    return InputError(
        f"{given}, which holds {what}; accepted are columns, numbers, + - : * / ** and the functions "
        f"{listed(FUNCTIONS)}, np.{', np.'.join(NUMPY)}."
    )
