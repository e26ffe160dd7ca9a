"""What the digests of code need of a source file: remembered by the file's content, since parsing takes longest.

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
from freqmaps.provenance.manifest import write_text

DECIDES_NUMBERS = False

#: Constants of components that decide no number: they say how to test it, what a config may set, what it takes.
DECLARATIONS = ("TINY", "RANGES", "UNKEYED", "LIBRARIES", "COST", "ASKS_NETWORK")


class Import(NamedTuple):
    """``from module import name as bound`` with ``level`` dots; ``import module`` has no name."""

    level: int
    module: str
    name: str
    bound: str
    typing: bool


class Syntax(NamedTuple):
    """A file's digest (16 hex digits), whether it decides numbers, and its imports at any depth, in order."""

    digest: str
    decides: bool
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

    def add(self, key: str, found: Syntax) -> Syntax:
        self.known[key] = found
        if not self.new:
            self.new = True
            atexit.register(self.save)
        return found

    def save(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps({**_load(self.path), **self.known}))
        except OSError:
            return  # a cache that cannot be written costs time, nothing else


def _load(path: Path) -> dict[str, Syntax]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: Syntax(str(digest), bool(decides), tuple(Import(*one) for one in imports))
            for key, (digest, decides, imports) in entries.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


@cache
def _memory() -> _Memory:
    version = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:16]
    return _Memory(cache_folder() / "code" / f"{version}.json")


def _read(content: bytes, path: Path) -> Syntax:
    try:
        tree = ast.parse(content, filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid Python ({error.msg})") from error
    digest = hashlib.sha256("".join(_dump(tree)).encode()).hexdigest()[:16]
    return Syntax(digest, _decides_numbers(tree), tuple(_imports(tree, typing=False)))


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


def _dump(value: Any) -> Iterator[str]:
    """Write a tree as text: types and non-empty fields only, so that a newer parser's empty fields do not count."""
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for field in value._fields:
            child = getattr(value, field, None)
            if field in ("ctx", "kind", "type_comment", "type_ignores") or child is None or child == []:
                continue
            yield f" {field}="
            yield from _dump(_body(value, child) if field == "body" else child)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for child in value:
            yield from _dump(child)
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
    kept = [statement for statement in body if not _for_type_checker(statement)]
    return [s for s in kept if not _declares(s)] if isinstance(owner, ast.Module) else kept


def _declares(statement: ast.stmt) -> bool:
    """Whether a statement only declares something for the tests or the config's checks."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id in DECLARATIONS
    return False
