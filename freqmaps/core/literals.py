"""Values of literals and constants in a source file, read from its syntax tree without running it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

DECIDES_NUMBERS = False

_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
#: Powers with a larger exponent are not written by anybody who means a default.
_LARGEST_POWER = 64


def assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the expression of each name that a module assigns exactly once at its top level."""
    values: dict[str, ast.expr] = {}
    twice = set()
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign | ast.AugAssign):
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                value = getattr(statement, "value", None)
                twice |= {target.id} & values.keys()
                if value is not None:
                    values[target.id] = value
    return {name: value for name, value in values.items() if name not in twice}


def value(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    """Return the value of a literal, of arithmetic with numbers (``8 / 255``), or of a name that stands for one.

    Parameters
    ----------
    node
        An expression.
    names
        What names stand for: see :func:`assigned`.

    Raises
    ------
    ValueError
        It is anything else, or cannot be computed.
    """
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise ValueError(f"'{node.id}' is no constant of this file")
        return value(names[node.id], {name: entry for name, entry in names.items() if name != node.id})
    if isinstance(node, ast.BinOp):
        return _computed(node, names)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _number(value(node.operand, names))
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.Tuple | ast.List):
        items = [value(entry, names) for entry in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [value(key, names) for key in node.keys if key is not None]
        return dict(zip(keys, (value(entry, names) for entry in node.values), strict=True))
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"'{ast.unparse(node)}' is no literal") from error


def _computed(node: ast.BinOp, names: Mapping[str, ast.expr]) -> Any:
    left, right = (_number(value(side, names)) for side in (node.left, node.right))
    if type(node.op) not in _OPERATIONS or (isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_POWER):
        raise ValueError(f"'{ast.unparse(node)}' is no plain arithmetic")
    try:
        number = _OPERATIONS[type(node.op)](left, right)
    except ArithmeticError as error:
        raise ValueError(f"'{ast.unparse(node)}' cannot be computed ({error})") from error
    return _number(number)


def _number(number: Any) -> Any:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{number!r} is no number")
    return number
