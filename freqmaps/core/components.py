"""Components are files in folders: found, described and checked from their source, without importing them.

A dry run has to know every component's name, parameters and defaults, yet must not import torch;
so everything here but :func:`load` works on the syntax tree.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from freqmaps.core import limits, literals
from freqmaps.core.errors import ConfigError, meant, nearest, same
from freqmaps.core.values import REQUIRED, check_value

DECIDES_NUMBERS = False

PACKAGE = Path(__file__).parent.parent

#: Where the components of a kind lie, and the function (or keyword-only dataclass) whose signature is theirs.
_FOLDERS = {
    "dataset": ("datasets", "describe"),
    "model": ("models", "build"),
    "regime": ("training/regimes", "build"),
    "regulariser": ("training/regularisers", "build"),
    "attack": ("attacks", "build"),
    "objective": ("optimise/objectives", "build"),
    "pairing": ("matrices/pairings", "build"),
    "basis": ("optimise/bases", "build"),
    "metric": ("correlation/metrics", "compute"),
    "corruption": ("corruptions", "corrupt"),
    "evaluation": ("evaluation", "compute"),
    "simulation": ("simulation", "compute"),
    "item": ("papers/*", "build"),
}


@dataclass(frozen=True)
class Parameter:
    """One keyword-only argument of a component: its annotation as text and its default (or ``REQUIRED``)."""

    name: str
    annotation: str
    default: Any


@dataclass(frozen=True)
class Component:
    """What the source of a component says about it."""

    kind: str
    name: str
    path: Path
    module: str
    function: str
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]
    doc: str

    @property
    def unkeyed(self) -> tuple[str, ...]:
        """Names of parameters that say where something lies and stay out of the key."""
        return tuple(self.constants.get("UNKEYED", ()))

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions whose version decides this component's numbers."""
        return tuple(self.constants.get("LIBRARIES", ()))


def kinds() -> tuple[str, ...]:
    """Return the kinds of component."""
    return tuple(_FOLDERS)


def is_built(kind: str) -> bool:
    """Whether a component of this kind is built with its parameters alone, before it is given anything to work on."""
    return _FOLDERS[kind][1] == "build" and kind != "item"


def names(kind: str) -> list[str]:
    """Return the names of all components of a kind that ship with the package."""
    return sorted(_files(kind))


@cache
def _files(kind: str) -> dict[str, Path]:
    """Return the file of each component of a kind; an item is called by its paper and its file: ``B25-T1``."""
    folder, _ = _FOLDERS[kind]
    paths = [p for p in PACKAGE.glob(f"{folder}/*.py") if not p.stem.startswith("_")]
    return {f"{p.parent.name.upper()}-{p.stem}" if kind == "item" else p.stem: p for p in paths}


def find(kind: str, name: str, where: str = "config") -> Component:
    """Return the component of this name: a file of the package, or ``module:function`` on the import path.

    Raises
    ------
    ConfigError
        If there is no such component; the message names ``where`` and the nearest valid name.
    """
    _, function = _FOLDERS[kind]
    if ":" in name:
        module, _, function = name.partition(":")
        path = _locate_module(module)
        if path is None:
            raise ConfigError(
                f"{where}: no module '{module}' on the import path (PYTHONPATH or the working directory); "
                f"expected '{name}' to be module:function"
            )
        return _read(kind, name, path, module, function, where)
    files = _files(kind)
    if name not in files:
        raise ConfigError(f"{where}: no {kind} named '{name}'; {nearest(name, files)}")
    module = ".".join(["freqmaps", *files[name].relative_to(PACKAGE).with_suffix("").parts])
    return _read(kind, name, files[name], module, function, where)


def settings(module: str, name: str) -> Component:
    """Describe a keyword-only dataclass of the package, whose fields a config may set.

    Parameters
    ----------
    module, name
        ``freqmaps.maps.settings`` and ``MapSettings``, say.
    """
    path = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return _read("settings", name, path, module, name, module)


def _locate_module(module: str) -> Path | None:
    """Find a module's file on ``sys.path`` and in the working directory without importing any parent package."""
    tail = Path(*module.split("."))
    for root in [Path.cwd(), *(Path(p or ".") for p in sys.path)]:
        for candidate in (root / tail.with_suffix(".py"), root / tail / "__init__.py"):
            if candidate.is_file():
                return candidate.resolve()
    return None


@cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid Python ({error.msg})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid Python ({error})") from error


@cache
def _read(kind: str, name: str, path: Path, module: str, function: str, where: str) -> Component:
    tree = _tree(path)
    assigned = literals.assigned(tree)
    constants: dict[str, Any] = {}
    target: ast.FunctionDef | ast.ClassDef | None = None
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            _take_literal(constants, statement.targets[0].id, statement.value, path, assigned)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            _take_literal(constants, statement.target.id, statement.value, path, assigned)
        elif isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == function:
            target = statement
    if target is None:
        raise ConfigError(f"{where}: {path} defines no '{function}' at its top level")
    read = partial(_default, path=path, assigned=assigned)
    parameters = _fields(target, read) if isinstance(target, ast.ClassDef) else _parameters(target, read)
    return Component(kind, name, path, module, function, parameters, constants, ast.get_docstring(tree) or "")


def _default(name: str, default: ast.expr | None, *, path: Path, assigned: Mapping[str, ast.expr]) -> Any:
    """Return a parameter's default: a literal, arithmetic with numbers, or a constant of the file."""
    if default is None:
        return REQUIRED
    try:
        return literals.value(default, assigned)
    except ValueError as error:
        raise ConfigError(
            f"{path}:{default.lineno}: the default of '{name}' cannot be read without running the file ({error}); "
            "write a number, a text, or a constant of this file that is one"
        ) from error


def _fields(target: ast.ClassDef, read: Callable[[str, ast.expr | None], Any]) -> dict[str, Parameter]:
    """Parameters of a class: its ``__init__``, or its fields if it is a keyword-only dataclass."""
    for statement in target.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _parameters(statement, read)
    fields = {}
    for statement in target.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            fields[name] = Parameter(name, ast.unparse(statement.annotation), read(name, statement.value))
    return fields


#: Constants that say something about a component: one that cannot be read would be passed over without a word.
_TELLING = ("RANGES", "NEUTRAL", "FORMER", "UNKEYED", "LIBRARIES", "COMPONENTS", "TINY", "ASKED", "CHECK")


def _take_literal(
    into: dict[str, Any], name: str, value: ast.expr, path: Path, assigned: Mapping[str, ast.expr]
) -> None:
    if name.isupper():
        try:
            into[name] = literals.value(value, assigned)
        except ValueError as error:
            if name in _TELLING:
                raise ConfigError(
                    f"{path}:{value.lineno}: {name} cannot be read without running the file ({error}); write it out"
                ) from error


def _parameters(function: ast.FunctionDef, read: Callable[[str, ast.expr | None], Any]) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        annotation = ast.unparse(argument.annotation) if argument.annotation else "Any"
        parameters[argument.arg] = Parameter(argument.arg, annotation, read(argument.arg, default))
    return parameters


def resolve(
    kind: str,
    name: str,
    values: Mapping[str, Any],
    *,
    where: str,
    supplied: tuple[str, ...] = (),
    beside: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return all parameters of a component, defaults filled in, after checking names, types and ranges.

    Parameters
    ----------
    kind, name
        Which component.
    values
        The parameters that the config sets, by name.
    where
        The place in the config, for messages: ``attacks.pgd-8_255``.
    supplied
        Parameters that the workflow provides itself (``classes``, ``channels``, ``size``, ``seed``).
    beside
        Other keys that may stand beside them in the config, for the nearest name.

    Raises
    ------
    ConfigError
        Unknown or missing parameter, wrong type, number outside its range.
    """
    return fill(find(kind, name, where), values, where=where, supplied=supplied, beside=beside)


def fill(
    component: Component,
    values: Mapping[str, Any],
    *,
    where: str,
    supplied: tuple[str, ...] = (),
    beside: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Do the same as :func:`resolve` for a component that has been read."""
    what = f"{component.kind} '{component.name}'"
    parameters = {k: v for k, v in component.parameters.items() if k not in supplied}
    for key in values:
        if key not in parameters:
            raise ConfigError(f"{where}: {what} has no parameter '{key}'; {_remedy(component, key, supplied, beside)}")
    resolved: dict[str, Any] = {}
    for key, parameter in parameters.items():
        value = values.get(key, parameter.default)
        if value is REQUIRED:
            raise ConfigError(f"{where}: {what} needs '{key}' ({parameter.annotation})")
        resolved[key] = check_value(value, parameter.annotation, f"{where}.{key}")
    limits.check(resolved, component.constants.get("RANGES", {}), where)
    return keyed(component, resolved)


def _remedy(component: Component, key: str, supplied: tuple[str, ...], beside: tuple[str, ...]) -> str:
    """Return what to do about a parameter that a component does not have, for messages."""
    given = [word for word in same(key) if word in supplied]
    if given:
        return f"the workflow itself sets '{given[0]}', as the run and its dataset have it; leave '{key}' out"
    own = [parameter for parameter in component.parameters if parameter not in supplied]
    allowed, elsewhere = [*own, *beside], _elsewhere(component.kind, key)
    holders = [name for name in own if component.parameters[name].annotation.startswith("dict[str, Any]")]
    if not holders or meant(key, allowed):
        return nearest(key, allowed) + elsewhere
    return (
        f"parameters of the library's own go under '{holders[0]}', as in '{holders[0]}: {{{key}: ...}}'; beside it "
        f"there are {', '.join(sorted(allowed))}{elsewhere}"
    )


def _elsewhere(kind: str, key: str) -> str:
    """Return which other components of a kind have a parameter, for messages."""
    if kind not in _FOLDERS:
        return ""
    others = [name for name in names(kind) if key in find(kind, name).parameters]
    return f" ({', '.join(others)} {'has' if len(others) == 1 else 'have'} it)" if others else ""


def keyed(component: Component, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as specs hold them, so that keys move only when numbers do.

    A parameter that the component declares neutral (``NEUTRAL = {"name": value}``) is left out while it has that value:
    results from before there was such a parameter stay. One that it declares to have been called otherwise
    (``FORMER = {"old": {"to": "new"}}``) is held by its old name; of one that is gone (``{"old": {"was": value}}``) the
    value that code now always takes.
    """
    neutral, former = component.constants.get("NEUTRAL", {}), component.constants.get("FORMER", {})
    spec = {k: v for k, v in parameters.items() if k not in neutral or v != neutral[k]}
    for old, change in former.items():
        if "was" in change:
            spec[old] = change["was"]
        elif change["to"] in spec:
            spec[old] = spec.pop(change["to"])
    return spec


def current(component: Component, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a spec holds by the names that the code has for them now."""
    parameters = dict(spec)
    for old, change in component.constants.get("FORMER", {}).items():
        if old in parameters:
            value = parameters.pop(old)
            parameters |= {change["to"]: value} if "to" in change else {}
    return parameters


def module(component: Component) -> ModuleType:
    """Import a component's module."""
    if ":" in component.name:
        root = str(component.path.parents[len(component.module.split(".")) - 1])
        if root not in sys.path:
            sys.path.insert(0, root)
    return importlib.import_module(component.module)


def load(kind: str, name: str, function: str | None = None) -> Callable[..., Any]:
    """Import a component and return its entry function (or another function of the same file)."""
    component = find(kind, name)
    function_of_component = getattr(module(component), function or component.function)
    if function is None and component.constants.get("FORMER"):
        return lambda *arguments, **spec: function_of_component(*arguments, **current(component, spec))
    return function_of_component  # type: ignore[no-any-return]


def call(place: str, parameters: Mapping[str, Any]) -> None:
    """Call a function, given as ``module:function``, with parameters: what a component names in ``CHECK``."""
    name, _, function = place.partition(":")
    getattr(importlib.import_module(name), function)(**parameters)


Settings = TypeVar("Settings")


def make_settings(kind: type[Settings], spec: Mapping[str, Any]) -> Settings:
    """Build a settings dataclass of the package from what a spec holds of it; what it leaves out has its default."""
    return kind(**current(settings(kind.__module__, kind.__name__), spec))
