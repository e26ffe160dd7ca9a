"""Stamps: which item or report lies at a plain name now.

Tables, figures and the report have plain names and follow the current config. A stamp beside them carries the key of
what lies there, or is about to: writing it first removes what another config left. So the stamp's name alone says
whether a plain file is current, on any machine, whatever its age.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from freqmaps.provenance.manifest import clear_half_written, write_text

DECIDES_NUMBERS = False


def write_stamp(path: Path, content: Mapping[str, Any], removes: Iterable[Path] = ()) -> None:
    """Make ``folder/name.key`` the only stamp of its name.

    Parameters
    ----------
    path
        The stamp. Those of the same name with other keys are removed, first of all.
    content
        What ``freqmaps why`` compares with the current config.
    removes
        The files at the plain names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in stamps(path.parent, path.name.rpartition(".")[0]):
        other.unlink()
    for file in removes:
        file.unlink(missing_ok=True)
    clear_half_written(path)
    clear_half_written(path)
    write_text(path, json.dumps(dict(content), indent=1) + "\n")


def stamps(folder: Path, name: str) -> list[Path]:
    """Return the stamps of an item."""
    return [p for p in folder.glob(f"{name}.*") if p.name.rpartition(".")[0] == name]
