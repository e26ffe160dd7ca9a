"""Digests of the code that makes a result: what a comment leaves alone and a changed formula does not.

A module's digest is over its syntax tree, without comments, docstrings, formatting, positions or imports for type
checking only; so it is the same on every Python that parses the file to the same tree. A stage's digest covers its
script, the components that its spec names, and every module of the package (or of the user's own package) that these
import, transitively. Modules that say ``DECIDES_NUMBERS = False`` are left out, with what only they import.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from freqmaps.components import PACKAGE
from freqmaps.errors import ConfigError

DECIDES_NUMBERS = False

#: Constants of components that decide no number: they say how to test it, what a config may set, what it takes.
DECLARATIONS = ("TINY", "RANGES", "UNKEYED", "LIBRARIES", "COST", "ASKS_NETWORK")

#: Refactorings that left the numbers alone; see docs/exact-recomputation.md.
EQUIVALENT = PACKAGE / "equivalent.yaml"


def stage_digest(files: Iterable[Path]) -> str:
    """Return the digest (16 hex digits) of all code that some entry files run through.

    Parameters
    ----------
    files
        The stage's script and the files of the components it loads by name.
    """
    return _digest(tuple(files))


@cache
def _digest(files: tuple[Path, ...]) -> str:
    """Answer once for all shards of a stage: a study of ImageNet's size asks a thousand times."""
    reached: dict[str, str] = {}
    waiting = [Path(f).resolve() for f in files]
    while waiting:
        path = waiting.pop()
        name = _label(path)
        if name in reached:
            continue
        if not _decides_numbers(path):
            reached[name] = ""
            continue
        reached[name] = module_digest(path)
        waiting.extend(imports(path))
    content = [f"{name} {digest}" for name, digest in sorted(reached.items()) if digest]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


@cache
def module_digest(path: Path) -> str:
    """Return the digest (16 hex digits) of one file, or of the older file it is declared equivalent to."""
    tree = _tree(path)
    digest = hashlib.sha256("".join(_dump(tree)).encode()).hexdigest()[:16]
    known = _equivalences()
    for _ in range(len(known) + 1):
        if digest not in known:
            return digest
        digest = known[digest]
    raise ConfigError(f"{EQUIVALENT}: the entries for {path.name} lead in a circle; keep only new -> old")


@cache
def imports(path: Path) -> tuple[Path, ...]:
    """Return the files of the same top-level package that a module imports, at any depth of its source."""
    root, top = _root(path)
    found: list[Path] = []
    for node in _walk(_tree(path)):
        if isinstance(node, ast.Import):
            targets = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path, root)
            targets = [(base, alias.name) for alias in node.names]
        else:
            continue
        for module, attribute in targets:
            if module.split(".")[0] in (top, "freqmaps"):
                found.extend(_files_of(module, attribute, root if module.split(".")[0] == top else PACKAGE.parent))
    return tuple(dict.fromkeys(found))


def _files_of(module: str, attribute: str, root: Path) -> list[Path]:
    """``from a.b import c`` is a/b/c.py if there is one, else a/b.py or a/b/__init__.py and where that has c from."""
    names = [f"{module}.{attribute}", module] if attribute else [module]
    for name in names:
        tail = root.joinpath(*name.split("."))
        for candidate in (tail.with_suffix(".py"), tail / "__init__.py"):
            if candidate.is_file():
                return [candidate.resolve(), *_handed_on(candidate.resolve(), attribute, root)]
    return []


def _handed_on(package: Path, attribute: str, root: Path) -> list[Path]:
    """Where a package has a name from that it loads when asked: its imports for the type checker say so."""
    if package.name != "__init__.py" or not attribute:
        return []
    for node in ast.walk(_tree(package)):
        if isinstance(node, ast.ImportFrom) and attribute in {alias.asname or alias.name for alias in node.names}:
            module = _absolute(node, package, root)
            if module != ".".join(package.parent.relative_to(root).parts):
                return _files_of(module, attribute, root)
    return []


def _absolute(node: ast.ImportFrom, path: Path, root: Path) -> str:
    if not node.level:
        return node.module or ""
    parts = path.relative_to(root).parts[: -node.level]
    return ".".join([*parts, *((node.module or "").split(".") if node.module else [])])


def _root(path: Path) -> tuple[Path, str]:
    """Return the folder that a file's top-level package lies in, and that package's name."""
    if path.is_relative_to(PACKAGE):
        return PACKAGE.parent, "freqmaps"
    folder = path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder, path.relative_to(folder).parts[0].removesuffix(".py")


def _label(path: Path) -> str:
    root, _ = _root(path)
    return path.relative_to(root).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid Python ({error.msg})") from error


@cache
def _decides_numbers(path: Path) -> bool:
    for statement in _tree(path).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = statement.value
            if statement.targets[0].id == "DECIDES_NUMBERS" and isinstance(value, ast.Constant) and not value.value:
                return False
    return True


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, leaving out what only a type checker reads."""
    if _for_type_checker(node):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


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


@cache
def _equivalences() -> dict[str, str]:
    if not EQUIVALENT.exists():
        return {}
    entries = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    for entry in entries:
        if set(entry) != {"module", "old", "new", "test", "why"}:
            raise ConfigError(f"{EQUIVALENT}: each entry has module, old, new, test and why; found {sorted(entry)}")
    return {entry["new"]: entry["old"] for entry in entries}
