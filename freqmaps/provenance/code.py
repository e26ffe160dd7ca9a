"""Digests of the code that computes a result: a comment does not change them, a formula does.

A stage's digest covers its script, the components that its spec names, and every definition of the package (or of the
user's own package) that these use, transitively: the function that is called and the constants that it reads, not the
whole module that they stand in. It is over the syntax tree, without comments, docstrings, formatting, positions, type
hints and the names of local variables, so it is the same on every Python that parses a file to the same tree, and it
does not tell where in the package a definition stands: moving one changes no key. Modules that say ``DECIDES_NUMBERS =
False`` are left out, with what only they use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from freqmaps.core import yamls
from freqmaps.core.components import PACKAGE
from freqmaps.core.errors import ConfigError
from freqmaps.provenance._syntax import DYNAMIC, Import, Syntax, syntax

DECIDES_NUMBERS = False

#: Refactorings that left the numbers alone; see docs/exact-recomputation.md.
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")

#: A definition: its file, and its name there. None is the whole file.
Place = tuple[Path, str | None]


def stage_digest(files: Iterable[Path]) -> str:
    """Return the digest (16 hex digits) of all code that some entry files run through.

    Where it is declared to give the numbers of older code, that code's digest is returned.

    Parameters
    ----------
    files
        The stage's script and the files of the components it loads by name.
    """
    return accepted(_digest(tuple(files)))


def accepted(digest: str) -> str:
    """Return the oldest digest whose numbers this one is declared to give: itself, unless it is declared.

    Raises
    ------
    ConfigError
        The declarations lead in a circle.
    """
    known, oldest = _equivalences(), digest
    for _ in range(len(known) + 1):
        if oldest not in known:
            return oldest
        oldest = known[oldest]
    raise ConfigError(f"{EQUIVALENT}: the entries for {digest} lead in a circle; keep only new -> old")


@cache
def _digest(files: tuple[Path, ...]) -> str:
    """Return a digest, cached for all shards of a stage: a study of ImageNet's size needs it a thousand times."""
    lines = {line for place in _reached(files) for line in _lines(place)}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def deciding(files: Iterable[Path]) -> dict[str, list[str]]:
    """Return which definitions decide what some entry files compute: names by file, ``*`` for a whole one."""
    by_file: dict[str, list[str]] = {}
    for path, name in _reached(tuple(files)):
        if name is None or name in syntax_of(path).definitions:
            by_file.setdefault(_label(path), []).append(name or "*")
    return {file: sorted(set(names)) for file, names in sorted(by_file.items())}


def _reached(files: tuple[Path, ...]) -> set[Place]:
    reached: set[Place] = set()
    waiting: list[Place] = [(Path(f).resolve(), None) for f in files]
    while waiting:
        place = waiting.pop()
        if place in reached or not syntax_of(place[0]).decides:
            continue
        reached.add(place)
        waiting.extend(target for _, target in _targets(place))
    return reached


def _lines(place: Place) -> Iterator[str]:
    """Yield the digest of a definition, and those of the definitions that it uses: by content, not by place."""
    own = _own(place)
    for digest in own:
        yield digest
    for use, target in _targets(place):
        if syntax_of(target[0]).decides:
            for digest in own or ("",):
                yield f"{digest} {use} -> {' '.join(_own(target))}"


@cache
def _own(place: Place) -> tuple[str, ...]:
    """Return the digests of a place: of a definition one, of a file one per definition."""
    path, name = place
    definitions = syntax_of(path).definitions
    if name is None:
        return tuple(sorted(d.digest for d in definitions.values()))
    return (definitions[name].digest,) if name in definitions else ()


@cache
def _targets(place: Place) -> tuple[tuple[str, Place], ...]:
    """Return the places that a place uses, each with the name that it uses there."""
    path, name = place
    module = syntax_of(path)
    if name is not None and name not in module.definitions:
        return ()
    top = _bound(module.imports)
    targets: list[tuple[str, Place]] = []
    if name and "" in module.definitions:  # what runs whenever the module is imported
        targets.append(("", (path, "")))
    for own_name in module.definitions if name is None else (name,):
        definition = module.definitions[own_name]
        names = top | _bound(definition.imports)
        for use in definition.uses:
            targets += [(use, target) for target in _used(path, module, names, use)]
    return tuple(dict.fromkeys(targets))


def _bound(imports: Iterable[Import]) -> dict[str, Import]:
    return {imported.bound: imported for imported in imports if not imported.typing}


def _used(path: Path, module: Syntax, names: dict[str, Import], use: str) -> list[Place]:
    """Resolve a name, or an attribute of one, to the definitions of the package that it may stand for."""
    name, _, attribute = use.partition(".")
    if use in DYNAMIC:
        return [(path, None)]
    if name in module.definitions and name not in names:
        return [(path, name)]
    if name not in names:
        return []
    imported = names[name]
    # import a.b.c: used as a.b.c.f
    if not imported.name and imported.bound == imported.module and "." in imported.module:
        return [(file, None) for file in _file_of(imported, path)]
    files = _file_of(imported, path)
    if files:  # the name is a module
        return [place for file in files for place in _resolved(file, attribute or None)]
    return [place for file in _file_of(imported._replace(name=""), path) for place in _resolved(file, imported.name)]


@cache
def _resolved(path: Path, name: str | None) -> tuple[Place, ...]:
    """Follow a name through the modules that only hand it on to the definition, with what runs on the way."""
    module = syntax_of(path)
    if name is None or name in module.definitions:
        return ((path, name),)
    passed: tuple[Place, ...] = ((path, ""),) if "" in module.definitions else ()
    return passed + tuple(end for place in _handed_on(path, name) for end in _ends(path, place))


def _ends(path: Path, place: Place) -> tuple[Place, ...]:
    return (place,) if place == (path, None) else _resolved(*place)


def _handed_on(path: Path, name: str) -> list[Place]:
    """Return where an undefined name of a module comes from: an import, one for the type checker, a submodule."""
    module = syntax_of(path)
    bound = [imported for imported in module.imports if imported.bound == name]
    for imported in sorted(bound, key=lambda imported: imported.typing):
        files = _file_of(imported, path)
        return [(f, None) for f in files] or [(f, imported.name) for f in _file_of(imported._replace(name=""), path)]
    if path.name == "__init__.py":
        inside = path.with_name(f"{name}.py")
        if inside.is_file():
            return [(inside, None)]
    return [(path, None)]


def _file_of(imported: Import, path: Path) -> list[Path]:
    """Return the file of the module that an import names (``from a import b``: a/b.py), none if that is no module."""
    root, top = _root(path)
    module = _absolute(imported, path, root)
    first = module.split(".")[0]
    if first not in (top, "freqmaps"):
        return []
    name = f"{module}.{imported.name}" if imported.name else module
    return _module_file(name, root if first == top else PACKAGE.parent)


@cache
def _module_file(name: str, root: Path) -> list[Path]:
    tail = root.joinpath(*name.split("."))
    return [c.resolve() for c in (tail.with_suffix(".py"), tail / "__init__.py") if c.is_file()][:1]


def _absolute(imported: Import, path: Path, root: Path) -> str:
    if not imported.level:
        return imported.module
    parts = path.relative_to(root).parts[: -imported.level]
    return ".".join([*parts, *(imported.module.split(".") if imported.module else [])])


@cache
def _root(path: Path) -> tuple[Path, str]:
    """Return the folder that a file's top-level package lies in, and that package's name."""
    if path.is_relative_to(PACKAGE):
        return PACKAGE.parent, "freqmaps"
    folder = path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder, path.relative_to(folder).parts[0].removesuffix(".py")


@cache
def _label(path: Path) -> str:
    root, _ = _root(path)
    return path.relative_to(root).as_posix()


@cache
def syntax_of(path: Path) -> Syntax:
    """Return the definitions and imports of a source file."""
    return syntax(path)


@cache
def _equivalences() -> dict[str, str]:
    return {str(entry["new"]): str(entry["old"]) for entry in declared()}


def declared() -> list[dict[str, Any]]:
    """Return the declarations of :data:`EQUIVALENT`.

    Raises
    ------
    ConfigError
        One lacks a field.
    """
    entries = yamls.read(EQUIVALENT) if EQUIVALENT.exists() else None
    for entry in entries or []:
        if set(entry) != {"stage", "old", "new", "why", "evidence"}:
            raise ConfigError(f"{EQUIVALENT}: each entry has stage, old, new, why and evidence; found {sorted(entry)}")
    return list(entries or [])


def forget() -> None:
    """Clear all caches of code and declarations, which have changed while this process ran."""
    for function in (_digest, _own, _targets, _resolved, _module_file, syntax_of, _equivalences, _root, _label):
        function.cache_clear()
