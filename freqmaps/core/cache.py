"""The user's cache folder, which holds only what can be computed again: deleting it costs time, nothing else."""

from __future__ import annotations

import os
from pathlib import Path

DECIDES_NUMBERS = False


def cache_folder() -> Path:
    """Return the user's cache folder for freqmaps."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "freqmaps"
