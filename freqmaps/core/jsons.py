"""Strict JSON, which every parser accepts: a number that is missing or not finite is ``null``, never ``NaN``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

DECIDES_NUMBERS = False


def text(value: Any, *, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Return a value as strict JSON (RFC 8259), without a line end.

    Parameters
    ----------
    value
        Mappings, sequences, text, numbers, truth values and None, at any depth. NumPy's numbers are taken as Python's;
        floats that are NaN or infinite become ``null``; anything else is written as its text.
    indent, ensure_ascii
        As for :func:`json.dumps`.

    >>> text({"value": float("nan"), "n": 3})
    '{"value": null, "n": 3}'
    """
    return json.dumps(_strict(value), indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(entry) for entry in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    return _strict(value.item()) if hasattr(value, "item") else str(value)
