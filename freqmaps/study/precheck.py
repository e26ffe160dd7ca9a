"""Checks of a study that must load a network or a user's checkpoint: run once, in a separate process, and cached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqmaps.core import components
from freqmaps.core.asked import NOTE, UNANSWERED
from freqmaps.core.cache import cache_folder
from freqmaps.core.errors import ConfigError
from freqmaps.core.files import write_text
from freqmaps.provenance import keys, manifest

DECIDES_NUMBERS = False

#: Raise it when a checkpoint is converted to other numbers: it enters the key of one that is converted.
_CONVERSION = 1


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


def checkpoint(
    path: Path, model: Mapping[str, Any], shape: Mapping[str, int], where: str, renaming: Mapping[str, Any]
) -> tuple[dict[str, Any], Path]:
    """Check that a checkpoint fits its architecture; return what it is, for the key, and the file that jobs load.

    Loading it needs torch, which a dry run must not import: another process does it, and the answer is remembered
    by the digest of the file and the model's description. One whose tensors have other names, or which holds its own
    normalisation, is converted on this occasion: jobs load the converted file, which lies in the user's cache.

    Parameters
    ----------
    path, model, shape
        The file; ``architecture`` and ``parameters`` of the model; its ``classes``, ``channels`` and ``size``.
    where
        The place in the config, for messages.
    renaming
        Empty, or ``rename``: pairs of a regular expression and its replacement for the names of the tensors.

    Raises
    ------
    ConfigError
        Missing file, unreadable file, or weights of another architecture.
    """
    sha = digest(path, f"{where}.checkpoint")
    question = {"sha256": sha, "model": dict(model), "shape": dict(shape), **renaming, "conversion": _CONVERSION}
    converted = cache_folder() / "checkpoints" / f"{keys.key(question)}.safetensors"
    beside = {"path": str(path), "to": str(converted)}
    answer = _ask("freqmaps.models._verify", question, beside, f"{where}.checkpoint")
    if answer != "converted":
        return {"sha256": sha}, path
    if not converted.is_file():  # the answer was remembered, the file is gone
        _ask("freqmaps.models._verify", question, beside, f"{where}.checkpoint", again=True)
    return {"sha256": sha, **renaming, "conversion": _CONVERSION}, converted


def normalisation(model: Mapping[str, Any], shape: Mapping[str, int], code: str, where: str) -> dict[str, list[float]]:
    """Return mean and standard deviation per channel that an architecture's pretrained weights expect.

    Parameters
    ----------
    model, shape
        ``architecture`` and ``parameters`` of the model; its ``classes``, ``channels`` and ``size``.
    code
        Digest of the architecture's code and versions of its libraries, on which the answer depends.
    where
        The place in the config, for messages.

    Raises
    ------
    ConfigError
        The architecture does not say them.
    """
    question = {"model": dict(model), "shape": dict(shape), "code": code}
    found: dict[str, list[float]] = json.loads(_ask("freqmaps.models._pretrained", question, {}, where))
    return found


def network(
    model: Mapping[str, Any], located: Mapping[str, Any], shape: Mapping[str, int], code: str, where: str
) -> None:
    """Check that an architecture can be built, and that it is a classifier of such images.

    Parameters
    ----------
    model, shape, code, where
        As for :func:`basis`; ``code`` is that of the architecture.
    located
        Parameters of the model that say where something lies; a digest of it stands in ``model``.

    Raises
    ------
    ConfigError
        It cannot, or is none.
    """
    question = {"model": dict(model), "shape": dict(shape), "code": code}
    _ask("freqmaps.models._verify", question, {"located": dict(located)}, where)


def is_open(component: components.Component) -> bool:
    """Whether only building a component tells if its parameters are right: a user's own, or one that takes any text."""
    if component.constants.get("ASKS_NETWORK"):
        return False  # it is bound to the network, which builds it, too
    texts = [p.annotation for p in component.parameters.values() if "Literal[" not in p.annotation]
    return ":" in component.name or any(word in text for text in texts for word in ("str", "dict", "Any"))


def component(found: components.Component, parameters: Mapping[str, Any], classes: int, code: str, where: str) -> None:
    """Check that a component can be built with its parameters, if only building it tells; else ask nothing.

    Parameters
    ----------
    found, parameters
        The component, and its parameters as specs hold them.
    classes
        Of the dataset.
    code
        Digest of the component's code.
    where
        The place in the config, for messages.

    Raises
    ------
    ConfigError
        It cannot.
    """
    if is_open(found):
        question = {"kind": found.kind, "name": found.name, "parameters": dict(parameters), "classes": classes}
        _ask("freqmaps.core.asked", question | {"code": code}, {}, where)


def basis(given: Mapping[str, Any], model: Mapping[str, Any], shape: Mapping[str, int], code: str, where: str) -> None:
    """Check that a basis fits a network: that it has the layer named, say.

    Parameters
    ----------
    given, model
        ``kind`` and ``parameters`` of the basis; ``architecture`` and ``parameters`` of the model.
    shape
        Its ``classes``, ``channels`` and ``size``.
    code
        Digest of the code of both: another network may have other layers.
    where
        The place in the config, for messages.

    Raises
    ------
    ConfigError
        It does not; with the nearest name.
    """
    question = {"basis": dict(given), "model": dict(model), "shape": dict(shape), "code": code}
    _ask("freqmaps.maps._verify", question, {}, where)


def _ask(
    module: str, question: Mapping[str, Any], beside: Mapping[str, Any], where: str, *, again: bool = False
) -> str:
    """Have a module, run in a process of its own, answer a question that it has not answered yet."""
    answer = cache_folder() / "checkpoints" / keys.key({"asked": module, **question})
    if answer.exists() and not again:
        return answer.read_text(encoding="utf-8").strip()
    line = [sys.executable, "-m", module, json.dumps({**beside, **question})]
    # A user's own modules are found there as they are here.
    path = os.pathsep.join(dict.fromkeys(filter(None, [*sys.path, os.environ.get("PYTHONPATH")])))
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    if done.returncode == UNANSWERED:
        return ""
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it could not be loaded"
        raise ConfigError(f"{where}: {reason}")
    for note in done.stderr.splitlines():
        if note.startswith(NOTE):
            print(note, file=sys.stderr)
    said = done.stdout.strip().splitlines()
    _remember(answer, said[-1] if said else "")
    return said[-1] if said else ""


def _remember(answer: Path, said: str) -> None:
    try:
        answer.parent.mkdir(parents=True, exist_ok=True)
        write_text(answer, said)
    except OSError:
        return  # a cache that cannot be written costs time, nothing else
