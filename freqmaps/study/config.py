"""Reading a config: merge, check against the schema, fill in defaults. Errors name key, value and nearest name."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from yaml.constructor import ConstructorError

from freqmaps.core import yamls
from freqmaps.core.components import PACKAGE
from freqmaps.core.errors import ConfigError, nearest

DECIDES_NUMBERS = False

#: So many of one kind have no config; libyaml recurses into each without asking whether the stack is large enough.
_BRACKETS = 1000

SCHEMA = PACKAGE.parent / "schemas" / "config.schema.yaml"


class _Loader(yaml.SafeLoader):
    """YAML as Snakemake reads it, but a key given twice is an error and not a silent replacement."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node.

        Raises
        ------
        yaml.YAMLError
            It looks like a date or a number and is none: ``2026-02-30``, ``0x_``.
        """
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ConstructorError(None, None, " ".join(str(error).split()), node.start_mark) from error


class _FastLoader(yamls.Loader):  # type: ignore[misc]
    """The same; its errors name no file."""


def _unique_mapping(loader: Any, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise ConstructorError(None, None, "a mapping or a list stands where a key should", key_node.start_mark)
        if key in seen:
            raise ConfigError(f"{node.start_mark.name}, line {key_node.start_mark.line + 1}: '{key}' is given twice")
        seen.add(key)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep)
    return mapping


# YAML 1.1, and so Snakemake, takes 1e-3 for text; take it for the number that it is.
_WRITTEN_SHORT = re.compile(r"[-+]?\d+[eE][-+]?\d+")
_FLOAT = re.compile(r"^[-+]?(\d+\.\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|nan))$")
for _loader in (_Loader, _FastLoader):
    _loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
    _loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def read_files(paths: Sequence[Path | str]) -> dict[str, Any]:
    """Read config files, later ones over earlier ones: mappings merge, lists and values replace.

    Raises
    ------
    ConfigError
        A file is missing, no UTF-8 text, not valid YAML or JSON, gives a key twice, or is no mapping.
    """
    merged: dict[str, Any] = {}
    for path in map(Path, paths):
        content = _content(path)
        if content is None:
            raise ConfigError(f"{path}: holds no keys; write some, such as 'seed: 1', or leave the file out")
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
        merge(merged, content)
    return merged


def _content(path: Path) -> Any:
    """Return what a file holds; as Snakemake does, take it for JSON if it is that."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config file") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a config file that can be read") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8 text; save the file as UTF-8"
        ) from error
    # libyaml takes tabs and marks that Snakemake's loader refuses, and does not survive a text of brackets.
    if not any(mark in text for mark in "\t\ufeff") and max(map(text.count, "[{")) < _BRACKETS:
        with suppress(Exception):  # whatever is amiss, the slow loader says in which line of which file
            return _FastLoader(text).get_single_data()
    try:
        loader = _Loader(text)
        loader.name = str(path)
        return loader.get_single_data()
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply; is this a config?") from error
    except yaml.YAMLError as error:
        try:
            return json.loads(text)  # JSON may be indented with tabs, YAML may not
        except ValueError:
            raise ConfigError(_not_yaml(path, error)) from error


def _not_yaml(path: Path, error: yaml.YAMLError) -> str:
    """Say in which line of a file YAML stops, and why."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None:
        return f"{path}: not valid YAML: {' '.join(str(error).split())}"
    hint = "; indent with spaces, not with tabs" if "'\\t'" in str(problem) else "; correct this line or the one before"
    return f"{path}, line {mark.line + 1}: not valid YAML: {problem}{hint}"


def merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Merge one config over another, as ``--configfile`` and ``--config`` do."""
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def check(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a config against the schema and return a copy with all defaults filled in.

    Raises
    ------
    ConfigError
        Naming the first key that does not fit, what was found, and the nearest valid name.
    """
    filled: dict[str, Any] = _fill_defaults(_without_left_out(_numbers(dict(config))), schema())
    errors = sorted(Draft202012Validator(schema()).iter_errors(filled), key=lambda e: (len(e.absolute_path), str(e)))
    if errors:
        raise ConfigError(_sentence(errors[0]))
    return filled


@cache
def schema() -> dict[str, Any]:
    """Return the config's JSON schema."""
    content: dict[str, Any] = yamls.read(SCHEMA)
    return content


def _numbers(value: Any) -> Any:
    """Copy a config, with texts such as ``1e-3``, which YAML does not read as numbers, converted to numbers.

    So is ``null`` within a mapping of ``snakemake --config``, where it arrives as text.
    """
    if isinstance(value, Mapping):
        return {key: _numbers(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(entry) for entry in value]
    if value == "null":
        return None
    return float(value) if isinstance(value, str) and _WRITTEN_SHORT.fullmatch(value) else copy.deepcopy(value)


def _without_left_out(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out simulations set to null: an overlay has no other way to drop one, since mappings merge."""
    simulations = config.get("simulations")
    if isinstance(simulations, dict):
        config["simulations"] = {name: entry for name, entry in simulations.items() if entry is not None}
    return config


def _fill_defaults(value: Any, part: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        for name, sub in part.get("properties", {}).items():
            if name not in value and "default" in sub:
                value[name] = copy.deepcopy(sub["default"])
            if name in value:
                value[name] = _fill_defaults(value[name], sub)
        extra = part.get("additionalProperties")
        if isinstance(extra, dict):
            for name in value.keys() - part.get("properties", {}).keys():
                value[name] = _fill_defaults(value[name], extra)
    elif isinstance(value, list) and isinstance(part.get("items"), dict):
        return [_fill_defaults(v, part["items"]) for v in value]
    return value


#: The types of JSON as messages name them.
_KINDS = {
    "array": "a list in brackets, such as [a, b]", "object": "a mapping in braces, such as {key: value}",
    "integer": "a whole number", "number": "a number", "string": "a word", "boolean": "true or false", "null": "null",
}  # fmt: skip


def _sentence(error: ValidationError) -> str:
    rule: Any = error.validator_value
    schema: Any = error.schema
    place = _place(error.absolute_path) or "config"
    value: Any = error.instance
    if error.validator == "additionalProperties":
        allowed = schema.get("properties", {})
        unknown = min(map(str, set(value) - set(allowed)))
        return f"{place}: unknown key '{unknown}'; {nearest(unknown, allowed)}"
    if error.validator == "required":
        missing = [name for name in rule if name not in value]
        return f"{place}: key '{missing[0]}' is missing"
    if error.validator == "enum":
        return f"{place}: {value!r} is not allowed; {nearest(str(value), map(str, rule))}"
    if error.validator in ("minimum", "exclusiveMinimum"):
        return f"{place}: {value!r} is too small; at least {rule} is needed"
    if error.validator == "pattern":
        return f"{place}: {value!r} is not a name; use the letters a to z, digits, '.', '_' and '-'"
    if error.validator == "not":
        return f"{place}: '{value}' is a reserved word in the names of results; choose another name"
    if error.validator == "anyOf":
        within = _within(error)
        if within is not None:
            return _sentence(within)
        options = " or ".join(_describe(option) for option in rule)
        return f"{place}: expected {options}, found {value!r}"
    if error.validator == "type":
        kinds = [rule] if isinstance(rule, str) else rule
        needed = f", which needs {_keys(schema)}" if "object" in kinds and schema.get("required") else ""
        return f"{place}: expected {' or '.join(_KINDS[kind] for kind in kinds)}{needed}, found {value!r}"
    return f"{place}: {error.message}"


def _place(path: Iterable[str | int]) -> str:
    """Return the place of a value as messages have it: ``runs[0].seeds``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _keys(option: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, option["required"]))


def _within(error: ValidationError) -> ValidationError | None:
    """Return the failure within the only option that accepts the type of the value; None if there is no such option."""
    options: dict[Any, list[ValidationError]] = {}
    for failure in error.context or ():
        options.setdefault(failure.relative_schema_path[0], []).append(failure)
    typed = [
        failures
        for failures in options.values()
        if not any(failure.validator in ("type", "const", "enum") and not failure.relative_path for failure in failures)
    ]
    return min(typed[0], key=lambda failure: len(failure.relative_path)) if len(typed) == 1 else None


def _describe(option: Mapping[str, Any]) -> str:
    if "const" in option:
        return repr(option["const"])
    if "enum" in option:
        return "one of " + ", ".join(map(str, option["enum"]))
    if option.get("type") == "object":
        return f"a mapping with {_keys(option)}" if option.get("required") else _KINDS["object"]
    return _KINDS[option["type"]] if isinstance(option.get("type"), str) else "another value"


def walk(part: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every key of the schema with its description, for the config reference."""
    for name, sub in part.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, sub
        yield from walk(sub, here)
        if isinstance(sub.get("additionalProperties"), dict):
            yield from walk(sub["additionalProperties"], f"{here}.<name>")
        if isinstance(sub.get("items"), dict) and "properties" in sub["items"]:
            yield from walk(sub["items"], f"{here}[]")
