"""What can only be known by looking into a user's checkpoint: asked once, in a process of its own, and remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqmaps import manifest
from freqmaps.errors import ConfigError
from freqmaps.study import keys

DECIDES_NUMBERS = False


def cache_folder() -> Path:
    """Return the user's cache folder for freqmaps."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "freqmaps"


def digest(path: Path, where: str) -> str:
    """Return a file's SHA-256.

    Raises
    ------
    ConfigError
        There is no such file.
    """
    if not path.is_file():
        raise ConfigError(f"{where}: no such file: {path}")
    return manifest.sha256(path)


def checkpoint(path: Path, model: Mapping[str, Any], shape: Mapping[str, int], where: str) -> str:
    """Check that a checkpoint fits its architecture and return its SHA-256.

    Loading it needs torch, which a dry run must not import: another process does it, and the answer is remembered
    by the digest of the file and the model's description.

    Raises
    ------
    ConfigError
        Missing file, unreadable file, or weights of another architecture.
    """
    sha = digest(path, f"{where}.checkpoint")
    question = {"sha256": sha, "model": dict(model), "shape": dict(shape)}
    answer = cache_folder() / "checkpoints" / keys.key(question)
    if not answer.exists():
        arguments = json.dumps({"path": str(path), **question})
        done = subprocess.run(
            [sys.executable, "-m", "freqmaps.models._verify", arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it could not be loaded"
            raise ConfigError(f"{where}.checkpoint: {reason}")
        _remember(answer)
    return sha


def _remember(answer: Path) -> None:
    try:
        answer.parent.mkdir(parents=True, exist_ok=True)
        answer.touch()
    except OSError:
        return  # a cache that cannot be written costs time, nothing else
