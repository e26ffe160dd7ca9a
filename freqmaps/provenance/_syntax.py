"""The definitions and imports of a source file, for digests of code, cached by content since parsing is slow.

Each Snakemake that a cluster's job starts asks for the same two hundred files.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from freqmaps.core.cache import cache_folder
from freqmaps.core.errors import ConfigError
from freqmaps.core.files import write_text
from freqmaps.provenance import _locals
from freqmaps.provenance._locals import LocalNames

DECIDES_NUMBERS = False

#: Constants that decide no number: they say how to test a component, what a config may set, what it takes.
DECLARATIONS = (
    *(
        "TINY",
        "RANGES",
        "GROUPS",
        "UNKEYED",
        "LIBRARIES",
        "COST",
        "ASKS_NETWORK",
        "ASKED",
        "CHECK",
        "NEUTRAL",
        "FORMER",
    ),
    *("POOLED_BY", "DOUBTS", "EVALUATED_WITH", "DECIDES_NUMBERS", "__all__"),
)
#: Names whose use may reach any definition of the module.
DYNAMIC = frozenset({"globals", "vars", "locals", "eval", "exec"})


class Import(NamedTuple):
    """``from module import name as bound`` with ``level`` dots; ``import module`` has no name."""

    level: int
    module: str
    name: str
    bound: str
    typing: bool


class Definition(NamedTuple):
    """What a name stands for at the top level of a module.

    Attributes
    ----------
    digest
        Of the statements that bind the name (16 hex digits), without type hints, docstrings, comments, and what local
        variables are called.
    uses
        Names that they use: ``f``, or ``module.f`` where an attribute of a name is used.
    imports
        Imports inside them.
    """

    digest: str
    uses: tuple[str, ...]
    imports: tuple[Import, ...]


class Syntax(NamedTuple):
    """What a file says: whether it decides numbers, its definitions by name, and the imports at its top level.

    The definition called "" holds the statements that run whatever is imported, if there are any.
    """

    decides: bool
    definitions: dict[str, Definition]
    imports: tuple[Import, ...]


def syntax(path: Path) -> Syntax:
    """Return what a source file's syntax tree says.

    Raises
    ------
    ConfigError
        It is not valid Python.
    """
    content = path.read_bytes()
    key = hashlib.sha256(content).hexdigest()
    known = _memory().get(key)
    if known is None:
        known = _memory().add(key, _read(content, path))
    return known


class _Memory:
    """Remembered answers of this version of the code on this Python, in one file of the user's cache."""

    def __init__(self, path: Path) -> None:
        self.path, self.known, self.new = path, _load(path), False

    def get(self, key: str) -> Syntax | None:
        return self.known.get(key)

    def add(self, key: str, syntax: Syntax) -> Syntax:
        self.known[key] = syntax
        if not self.new:
            self.new = True
            atexit.register(self.save)
        return syntax

    def save(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps({**_load(self.path), **self.known}))
        except OSError:
            return  # a cache that cannot be written costs time, nothing else


def _load(path: Path) -> dict[str, Syntax]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {key: _syntax_of(entry) for key, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _syntax_of(entry: Any) -> Syntax:
    """Read a remembered answer back."""
    decides, definitions, imports = entry
    read = {
        name: Definition(str(hashed), tuple(map(str, uses)), _imports_of(inside))
        for name, (hashed, uses, inside) in definitions.items()
    }
    return Syntax(bool(decides), read, _imports_of(imports))


def _imports_of(entries: Any) -> tuple[Import, ...]:
    return tuple(Import(*entry) for entry in entries)


@cache
def _memory() -> _Memory:
    code = b"".join(Path(file).read_bytes() for file in (__file__, _locals.__file__))
    version = hashlib.sha256(code + sys.version.encode()).hexdigest()[:16]
    return _Memory(cache_folder() / "code" / f"{version}.json")


def _read(content: bytes, path: Path) -> Syntax:
    try:
        tree = ast.parse(content, filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid Python ({error.msg})") from error
    top = tuple(
        imported for statement in tree.body if not _binds(statement) for imported in _imports(statement, typing=False)
    )
    return Syntax(_decides_numbers(tree), _definitions(tree), top)


def _definitions(tree: ast.Module) -> dict[str, Definition]:
    """Sort the statements of a module by the names that they bind."""
    statements: dict[str, list[ast.stmt]] = {}
    for statement in _body(tree, tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        for name in _binds(statement) or [""]:
            statements.setdefault(name, []).append(statement)
    return {name: _definition(binding) for name, binding in statements.items()}


def _definition(statements: list[ast.stmt]) -> Definition:
    names = LocalNames(statements)
    text = "".join(part for statement in statements for part in _dump(statement, names))
    uses = sorted({use for statement in statements for use in _uses(statement, names)})
    inside = tuple(imported for statement in statements for imported in _imports(statement, typing=False))
    return Definition(hashlib.sha256(text.encode()).hexdigest()[:16], tuple(uses), inside)


def _binds(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds at the top level; none if it does anything else, too."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    flat = [n for t in targets for n in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
    return [n.id for n in flat if isinstance(n, ast.Name)] if all(isinstance(n, ast.Name) for n in flat) else []


def _uses(node: ast.AST, names: LocalNames) -> Iterator[str]:
    """Yield the names from outside that a statement uses at run time: annotations are type hints and not evaluated."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if names.is_local(node.value):
            return
        yield f"{node.value.id}.{node.attr}"
        return
    if isinstance(node, ast.Name) and not names.is_local(node):
        yield node.id
    for field, child in ast.iter_fields(node):
        if field in _HINTS:
            continue
        for part in child if isinstance(child, list) else [child]:
            if isinstance(part, ast.AST):
                yield from _uses(part, names)


def _decides_numbers(tree: ast.Module) -> bool:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = statement.value
            if statement.targets[0].id == "DECIDES_NUMBERS" and isinstance(value, ast.Constant) and not value.value:
                return False
    return True


def _imports(node: ast.AST, *, typing: bool) -> Iterator[Import]:
    typing |= _for_type_checker(node)
    if isinstance(node, ast.Import):
        yield from (Import(0, alias.name, "", alias.asname or alias.name, typing) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        of = (node.level, node.module or "")
        yield from (Import(*of, alias.name, alias.asname or alias.name, typing) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, typing=typing)


def _for_type_checker(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


#: Fields of a syntax tree that hold type hints: of arguments, results and variables.
_HINTS = ("annotation", "returns")
_NO_CODE = ("ctx", "kind", "type_comment", "type_ignores", "type_params", *_HINTS)


def _dump(value: Any, names: LocalNames) -> Iterator[str]:
    """Write a tree as text: types and non-empty fields only, so that a newer parser's empty fields do not count."""
    if isinstance(value, ast.Name) and names.is_local(value):
        yield f"(local {names.number(value)})"
    elif isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for field in value._fields:
            child = getattr(value, field, None)
            if field in _NO_CODE or child is None or child == []:
                continue
            yield f" {field}="
            yield from _dump(_body(value, child) if field == "body" else child, names)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for child in value:
            yield from _dump(child, names)
            yield ","
        yield "]"
    else:
        yield f"{type(value).__name__}:{value!r}"


def _body(owner: ast.AST, body: Any) -> Any:
    """Drop docstrings, blocks for the type checker, and declarations."""
    if not isinstance(body, list):
        return body
    if isinstance(owner, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            body = body[1:]
    statements = [statement for statement in body if not _for_type_checker(statement)]
    return [s for s in statements if not _declares(s)] if isinstance(owner, ast.Module) else statements


def _declares(statement: ast.stmt) -> bool:
    """Whether a statement only declares something for the tests or the config's checks."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id in DECLARATIONS
    return False
