"""A checkpoint: ``model.safetensors`` beside ``model.json``. Never pickles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from freqmaps.core import files, jsons
from freqmaps.core.errors import StoreError

DECIDES_NUMBERS = False

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


def save(folder: Path, state: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write a checkpoint; each file by rename, the description last.

    Parameters
    ----------
    folder
        Existing folder.
    state
        Tensors by name, on any device.
    description
        JSON; the weights' SHA-256 is added as ``weights_sha256``.

    Raises
    ------
    StoreError
        The disk is full, or the folder cannot be written.
    """
    # Clones: views of one tensor (tied weights) and strides other than plain are not in the format.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    content = safetensors.torch.save(plain)
    text = jsons.text({**description, "weights_sha256": hashlib.sha256(content).hexdigest()}, indent=1) + "\n"
    _write(Path(folder) / WEIGHTS, content)
    _write(Path(folder) / DESCRIPTION, text.encode())


def load(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the description and the tensors, on the CPU.

    Raises
    ------
    StoreError
        A file is missing or damaged, or the two do not belong together.
    """
    folder = Path(folder)
    remedy = "delete its folder and run the target that makes it"
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        content = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename}: no such file, so {folder} is no checkpoint; {remedy}") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder}: cannot be read ({error}); {remedy}") from error
    if hashlib.sha256(content).hexdigest() != description.get("weights_sha256"):
        raise StoreError(f"{folder / WEIGHTS}: not the weights that {DESCRIPTION} describes; {remedy}")
    return description, safetensors.torch.load(content)


def _write(path: Path, content: bytes) -> None:
    try:
        files.write_bytes(path, content)
    except OSError as error:
        raise StoreError(f"{path}: could not be written ({error.strerror or error}); free some space") from error
