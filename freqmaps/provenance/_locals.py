"""Names of local variables in a syntax tree, so that the digest of code does not depend on how they are called."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

DECIDES_NUMBERS = False

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
#: The functions and comprehensions around a place, the innermost last, each with the names that are its own.
_Scopes = tuple[tuple[int, frozenset[str]], ...]
#: Calls that read variables by name.
_BY_NAME = frozenset({"globals", "vars", "locals", "eval", "exec", "dir"})


class LocalNames:
    """The local variables of functions and comprehensions, by numbers in the order in which a tree is read.

    Two trees that differ only in what local variables are called get the same numbers, and trees that differ in which
    variable stands where get others. Names that are bound in another way than by assignment, a loop, ``with``, ``:=``
    or a comprehension keep their names: parameters (callers use them), imports, inner functions and classes, caught
    exceptions, captures of ``match``, ``global`` and ``nonlocal`` names. So does everything in a function that reads
    variables by name, as ``locals()`` does.

    Parameters
    ----------
    statements
        Of a module's top level, those that belong together.
    """

    def __init__(self, statements: Iterable[ast.stmt]) -> None:
        self._variables: dict[int, tuple[int, str]] = {}
        self._numbers: dict[tuple[int, str], int] = {}
        for statement in statements:
            self._resolve(statement, ())

    def is_local(self, name: ast.Name) -> bool:
        """Tell whether a name in the statements stands for a local variable that is numbered."""
        return id(name) in self._variables

    def number(self, name: ast.Name) -> int:
        """Return the number of a local variable, counted from 0 in the order of first calls."""
        return self._numbers.setdefault(self._variables[id(name)], len(self._numbers))

    def _resolve(self, node: ast.AST, scopes: _Scopes) -> None:
        """Note which variable each name below a node stands for."""
        if isinstance(node, ast.Name):
            scope = next((number for number, names in reversed(scopes) if node.id in names), None)
            if scope is not None:
                self._variables[id(node)] = (scope, node.id)
        elif isinstance(node, _Function):
            self._resolve_function(node, scopes)
        elif isinstance(node, _Comprehension):
            self._resolve_comprehension(node, scopes)
        else:
            for child in ast.iter_child_nodes(node):
                self._resolve(child, scopes)

    def _resolve_function(self, node: _Function, scopes: _Scopes) -> None:
        body = node.body if isinstance(node.body, list) else [node.body]
        inside = {id(part) for part in body}
        for child in ast.iter_child_nodes(node):  # decorators and defaults are evaluated outside of the function
            if id(child) not in inside:
                self._resolve(child, scopes)
        if _reads_by_name(node):
            return
        assigned = frozenset(name for part in body for name in _assigned(part)) - _kept(node)
        for part in body:
            self._resolve(part, (*scopes, (id(node), assigned)))

    def _resolve_comprehension(self, node: _Comprehension, scopes: _Scopes) -> None:
        if _reads_by_name(node):
            return
        first = node.generators[0].iter  # is evaluated outside of the comprehension
        self._resolve(first, scopes)
        targets = frozenset(name for generator in node.generators for name in _stored(generator.target)) - _kept(node)
        inner = (*scopes, (id(node), targets))
        for generator in node.generators:
            for part in (generator.target, *generator.ifs, *([generator.iter] if generator.iter is not first else [])):
                self._resolve(part, inner)
        for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            self._resolve(part, inner)


def _reads_by_name(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Name) and part.id in _BY_NAME for part in ast.walk(node))


def _stored(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _assigned(node: ast.AST) -> Iterator[str]:
    """Yield the names that a function's own statement assigns, not those of functions and classes in it."""
    if isinstance(node, _Function | ast.ClassDef):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    for child in ast.iter_child_nodes(node):
        if isinstance(node, _Comprehension) and isinstance(child, ast.comprehension):
            yield from (name for part in (child.iter, *child.ifs) for name in _assigned(part))  # by := only
        else:
            yield from _assigned(child)


def _kept(node: ast.AST) -> frozenset[str]:
    """Return the names that keep their names in a function or comprehension, and in all that it holds."""
    return frozenset(name for part in ast.walk(node) for name in _bound_by_name(part))


def _bound_by_name(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (name for statement in node.body for name in _stored(statement))
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).split(".")[0]
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
