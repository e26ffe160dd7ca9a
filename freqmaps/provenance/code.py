"""Digests of the code that makes a result: what a comment leaves alone and a changed formula does not.

A module's digest is over its syntax tree, without comments, docstrings, formatting, positions or imports for type
checking only; so it is the same on every Python that parses the file to the same tree. A stage's digest covers its
script, the components that its spec names, and every module of the package (or of the user's own package) that these
import, transitively. Modules that say ``DECIDES_NUMBERS = False`` are left out, with what only they import.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from freqmaps.core.components import PACKAGE
from freqmaps.core.errors import ConfigError
from freqmaps.provenance._syntax import Import, Syntax, syntax

DECIDES_NUMBERS = False

#: Refactorings that left the numbers alone; see docs/exact-recomputation.md.
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")


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
        if not _syntax(path).decides:
            reached[name] = ""
            continue
        reached[name] = module_digest(path)
        waiting.extend(imports(path))
    content = [f"{name} {digest}" for name, digest in sorted(reached.items()) if digest]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


@cache
def module_digest(path: Path) -> str:
    """Return the digest (16 hex digits) of one file, or of the older file it is declared equivalent to."""
    digest = _syntax(path).digest
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
    for one in _syntax(path).imports:
        module = _absolute(one, path, root)
        if not one.typing and module.split(".")[0] in (top, "freqmaps"):
            found.extend(_files_of(module, one.name, root if module.split(".")[0] == top else PACKAGE.parent))
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
    for one in _syntax(package).imports:
        if one.name and attribute == one.bound:
            module = _absolute(one, package, root)
            if module != ".".join(package.parent.relative_to(root).parts):
                return _files_of(module, attribute, root)
    return []


def _absolute(one: Import, path: Path, root: Path) -> str:
    if not one.level:
        return one.module
    parts = path.relative_to(root).parts[: -one.level]
    return ".".join([*parts, *(one.module.split(".") if one.module else [])])


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
def _syntax(path: Path) -> Syntax:
    return syntax(path)


@cache
def _equivalences() -> dict[str, str]:
    if not EQUIVALENT.exists():
        return {}
    entries = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    for entry in entries:
        if set(entry) != {"module", "old", "new", "test", "why"}:
            raise ConfigError(f"{EQUIVALENT}: each entry has module, old, new, test and why; found {sorted(entry)}")
    return {entry["new"]: entry["old"] for entry in entries}
