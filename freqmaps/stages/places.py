"""Paths of results, parsed: from a path below a results root to its stage and names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter

from freqmaps.core.images import KINDS
from freqmaps.provenance import keys
from freqmaps.stages import PATHS, path_of, template

DECIDES_NUMBERS = False

#: What may stand for a name: as the config's schema has it; a dot or a dash cannot come first.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SHAPES = {
    "key": rf"[0-9a-f]{{{keys.LENGTH}}}",
    "seed": r"\d+",
    "step": r"\d+",
    "range": r"[a-z]+-\d+-\d+",
    "images": "|".join(KINDS),
    "item": r"[A-Za-z0-9][A-Za-z0-9._:-]*",
}
_KEY = re.compile(_SHAPES["key"])


def is_key(name: str) -> bool:
    """Whether a folder's name has the shape of a key.

    >>> is_key("4f0c7d21ab93"), is_key("standard")
    (True, False)
    """
    return _KEY.fullmatch(name) is not None


def fields(stage: str) -> tuple[str, ...]:
    """Return the names in a stage's path, in order, without its key."""
    return tuple(name for _, name, _, _ in Formatter().parse(PATHS[stage]) if name and name != "key")


def all_fields() -> tuple[str, ...]:
    """Return the names in the paths of all stages, each once: ``dataset``, ``model``, ``training``, ..."""
    return tuple(dict.fromkeys(name for stage in PATHS for name in fields(stage)))


def parse(path: str) -> tuple[str, dict[str, str]] | None:
    """Return the stage of a path below the results root and its names, key included; None if no stage has such a path.

    >>> parse("digits/datasets/829075aaf82a")
    ('datasets', {'dataset': 'digits', 'key': '829075aaf82a'})
    """
    for (stage, _), pattern in _patterns().items():
        match = pattern.fullmatch(path)
        if match:
            return stage, match.groupdict()
    return None


def place(stage: str, names: Mapping[str, str], key: str) -> str | None:
    """Return the path of a result of these names and this key; None if the names do not fit the stage's paths."""
    wanted = set(fields(stage)) if stage in PATHS else None
    if wanted is None or not wanted <= set(names) <= wanted | {"step"}:
        return None
    if not all(isinstance(value, str) for value in names.values()):
        return None
    path = path_of(stage, names, key)
    return path if parse(path) == (stage, {**names, "key": key}) else None


@cache
def _patterns() -> dict[tuple[str, bool], re.Pattern[str]]:
    """Return an expression per stage, with and without the step of a snapshot.

    Those with more fixed parts come first, since a name may be called like a stage.
    """
    patterns = {}
    for stage in sorted(PATHS, key=lambda s: -len(re.sub(r"{\w+}", "", PATHS[s]))):
        for stepped in (True, False):
            parts = [
                re.escape(text) + (f"(?P<{name}>{_SHAPES.get(name, NAME)})" if name else "")
                for text, name, _, _ in Formatter().parse(template(stage, stepped=stepped))
            ]
            patterns[stage, stepped] = re.compile("".join(parts))
    return patterns
