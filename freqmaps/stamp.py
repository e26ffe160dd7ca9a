"""Stamps: which item or report lies at a plain name now.

Tables, figures and the report have plain names and follow the current config. The stamp beside them carries the key of
what was made; making another removes it. So the file name alone says whether the plain files are current, on any
machine, whatever their age.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from freqmaps.manifest import write_text

DECIDES_NUMBERS = False


def write_stamp(path: Path, content: Mapping[str, Any]) -> None:
    """Write a stamp ``folder/name.key`` and remove the stamps of the same name with other keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.rpartition(".")[0]
    for other in path.parent.glob(f"{name}.*"):
        if other != path and other.name.rpartition(".")[0] == name:
            other.unlink()
    write_text(path, json.dumps(dict(content), indent=1) + "\n")


def stamp_item(
    path: Path, name: str, parameters: Mapping[str, Any], inputs: Sequence[str], notes: Sequence[str]
) -> None:
    """Stamp an item: its parameters and the results it was made from, for ``freqmaps why`` and the report."""
    write_stamp(path, {"item": name, "parameters": dict(parameters), "inputs": sorted(inputs), "notes": list(notes)})


def read_stamp(path: Path) -> dict[str, Any]:
    """Read a stamp."""
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
