"""Specs and keys: equal specs have equal keys, and so equal paths, in every clone."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

DECIDES_NUMBERS = False

LENGTH = 12

#: Fields that travel with a spec but do not enter the key: where it lies is said by the path already.
UNKEYED = ("names",)


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values: sorted names, no spaces, shortest floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return 16 hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def key(spec: Mapping[str, Any]) -> str:
    """Return the key of a spec: 12 hex digits of its SHA-256.

    >>> key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    True
    >>> key({"a": 1, "b": 2}) == key({"a": 2, "b": 1})
    False
    """
    keyed = {name: value for name, value in spec.items() if name not in UNKEYED}
    return hashlib.sha256(canonical(keyed).encode()).hexdigest()[:LENGTH]


def seed(study_seed: int, *place: str) -> int:
    """Derive a stage's seed (31 bits) from the study's seed and the names of its place."""
    text = "/".join([str(study_seed), *place])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


@cache
def version(distribution: str) -> str:
    """Return a library's release, without the local part that names its build (``+cu130``)."""
    try:
        return importlib.metadata.version(distribution).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the releases of several libraries, in order of name."""
    return {name: version(name) for name in sorted(set(distributions))}
