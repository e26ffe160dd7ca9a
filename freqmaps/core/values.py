"""Conversion and checks of config values against the annotations of a component's parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from freqmaps.core.errors import ConfigError, nearest

DECIDES_NUMBERS = False

#: Stands for a value that there is not: a parameter without a default, or a value that an annotation does not take.
REQUIRED = object()


def check_value(value: Any, annotation: str, where: str) -> Any:
    """Check a config value against a simple annotation; ``"8/255"`` is read as a float where one is due.

    >>> check_value("1/4", "float", "here")
    0.25
    """
    for option in _options(annotation):
        converted = _convert(value, option)
        if converted is not REQUIRED:
            return converted
    for option in _options(annotation):
        if option.startswith("list[Literal[") and isinstance(value, list):
            allowed = [str(choice) for choice in ast.literal_eval(f"({option[13:-2]},)")]
            odd = next(str(choice) for choice in value if choice not in allowed)
            raise ConfigError(f"{where}: no '{odd}' in this list; {nearest(odd, allowed)}")
    raise ConfigError(f"{where}: expected {_in_words(annotation)}, found {value!r}{_hint(value, annotation)}")


#: Annotations as messages name them.
_WORDS = {"float": "a number", "int": "a whole number", "str": "a word", "bool": "true or false", "None": "null"}


def _in_words(annotation: str) -> str:
    """Return an annotation in words; what has none stays as it is.

    >>> _in_words("list[int] | None")
    'a list in brackets of whole numbers or null'
    """
    words = []
    for option in _options(annotation):
        inner = option[option.find("[") + 1 : -1].split(",")[0].strip()
        if option.startswith(("list[", "tuple[", "Sequence[")):
            each = _WORDS.get(inner, "").removeprefix("a ")
            words.append("a list in brackets" + (f" of {each}s" if each else ""))
        elif option.startswith(("dict", "Mapping")):
            words.append("a mapping in braces")
        elif option.startswith("Literal["):
            words.append(" or ".join(map(repr, ast.literal_eval(f"({option[8:-1]},)"))))
        else:
            words.append(_WORDS.get(option, option))
    return " or ".join(words)


def _hint(value: Any, annotation: str) -> str:
    if isinstance(value, bool) and "str" in annotation:
        return "; write which one, by its name or path"
    if isinstance(value, str) and "float" in annotation and re.fullmatch(r"-?\d+,\d+", value):
        return f"; write a decimal point, {value.replace(',', '.')}"
    return ""


def _options(annotation: str) -> list[str]:
    """Split ``float | None`` at the top level only, and ``Literal['a', 'b']`` not at all."""
    options, depth, current = [], 0, ""
    for character in annotation:
        depth += (character in "[(") - (character in "])")
        if character == "|" and depth == 0:
            options.append(current.strip())
            current = ""
        else:
            current += character
    return [*options, current.strip()]


def _convert(value: Any, annotation: str) -> Any:
    if annotation == "Any":
        return value
    if annotation == "None":
        return None if value is None else REQUIRED
    if annotation.startswith("Literal["):
        return value if value in ast.literal_eval(f"({annotation[8:-1]},)") else REQUIRED
    if annotation.startswith(("list[", "tuple[", "Sequence[")):
        inner = annotation[annotation.index("[") + 1 : -1]
        inner = inner if inner.startswith("Literal[") else inner.split(",")[0]
        if not isinstance(value, list | tuple):
            return REQUIRED
        items = [_convert(v, inner) for v in value]
        return REQUIRED if REQUIRED in items else items
    if annotation.startswith(("dict", "Mapping")):
        return dict(value) if isinstance(value, Mapping) else REQUIRED
    return _convert_scalar(value, annotation)


def _convert_scalar(value: Any, annotation: str) -> Any:
    if annotation == "bool":
        if value in ("true", "false"):
            return value == "true"  # nested values of `snakemake --config` arrive as text
        return value if isinstance(value, bool) else REQUIRED
    if annotation == "str":
        return value if isinstance(value, str) else REQUIRED
    if isinstance(value, bool):
        return REQUIRED
    if annotation == "int":
        if isinstance(value, str) and value.removeprefix("-").isdecimal():
            return int(value)  # nested values of `snakemake --config` arrive as text
        return value if isinstance(value, int) else REQUIRED
    if annotation == "float":
        if isinstance(value, str):
            try:
                value = float(Fraction(value))
            except (ValueError, ZeroDivisionError):
                try:
                    value = float(value)  # YAML 1.1 reads 1e-3 as a string
                except ValueError:
                    return REQUIRED
        return float(value) if isinstance(value, int | float) and abs(float(value)) < float("inf") else REQUIRED
    return REQUIRED
