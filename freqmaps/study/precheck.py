"""Checks of a study that must load a network, a user's checkpoint or a user's code: in another process, and once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqmaps.core import components
from freqmaps.core.cache import cache_folder
from freqmaps.core.errors import ConfigError
from freqmaps.provenance import code, keys, manifest
from freqmaps.study.questions import Questions, ask

DECIDES_NUMBERS = False

#: Raise it when a checkpoint is converted to other numbers: it enters the key of one that is converted.
_CONVERSION = 1
#: Endings of files of weights.
_WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".tar", ".th")


def digest(path: Path, where: str) -> str:
    """Return the SHA-256 of a file of weights.

    Raises
    ------
    ConfigError
        There is no such file; with those beside it that it may be.
    """
    if path.is_dir():
        raise ConfigError(f"{where}: {path} is a folder; name the file of weights{_beside(path / 'weights')}")
    if not path.is_file():
        raise ConfigError(
            f"{where}: no such file: {path}; correct the path (one that does not begin with / starts from "
            f"{Path.cwd()}), or bring the file there{_beside(path)}"
        )
    return manifest.sha256(path)


def _beside(path: Path) -> str:
    """Return which files of weights lie beside a path, for messages."""
    there = sorted(p.name for p in path.parent.glob("*") if p.suffix in _WEIGHTS) if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, there, n=3, cutoff=0.4) or there[:3]
    return f"; {path.parent} has {', '.join(close)}" if close else ""


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
    answer = ask("freqmaps.models._verify", question, beside, f"{where}.checkpoint")
    if answer != "converted":
        return {"sha256": sha}, path
    if not converted.is_file():  # the answer was remembered, the file is gone
        ask("freqmaps.models._verify", question, beside, f"{where}.checkpoint", again=True)
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
    normalise: dict[str, list[float]] = json.loads(ask("freqmaps.models._pretrained", question, {}, where))
    return normalise


def network(
    questions: Questions, model: Mapping[str, Any], located: Mapping[str, Any], shape: Mapping[str, int],
    code: str, where: str,
) -> None:  # fmt: skip
    """Have it checked that an architecture can be built, and that it is a classifier of such images.

    Parameters
    ----------
    questions
        Of the study; they are asked together.
    model, shape, code, where
        As for :func:`basis`; ``code`` is that of the architecture.
    located
        Parameters of the model that say where something lies; a digest of it stands in ``model``.
    """
    question = {"model": dict(model), "shape": dict(shape), "code": code}
    questions.add("freqmaps.models._verify", question, where, {"located": dict(located)})


#: Kinds of component whose texts are names in the config, which the study looks up itself.
_NAMES = ("pairing", "evaluation", "corruption", "item")


def is_open(component: components.Component, parameters: Mapping[str, Any]) -> bool:
    """Whether only building a component tells if its parameters are right.

    That is so for a user's own; and where a parameter that takes any text, or that the component names in ``ASKED``,
    has not its default.
    """
    if ":" in component.name:
        return True
    asked, values = component.constants.get("ASKED", ()), components.current(component, parameters)
    changed = [p for p in component.parameters.values() if values.get(p.name, p.default) != p.default]
    return any(p.name in asked or (component.kind not in _NAMES and _is_any_text(p.annotation)) for p in changed)


def _is_any_text(annotation: str) -> bool:
    return "Literal[" not in annotation and any(word in annotation for word in ("str", "dict", "Any"))


def component(
    questions: Questions, tested: components.Component, parameters: Mapping[str, Any], where: str, classes: int = 0,
    *, alone: bool = False,
) -> None:  # fmt: skip
    """Have it checked that a component can be built with its parameters, if only building it tells.

    Parameters
    ----------
    questions
        Of the study; they are asked together.
    tested, parameters
        The component, and its parameters as specs hold them.
    where
        The place in the config, for messages.
    classes
        Of the dataset, for an attack; 0 where no run says which.
    alone
        Whether there is no network that a basis which asks for one could be bound to.
    """
    if (tested.constants.get("ASKS_NETWORK") and not alone) or not is_open(tested, parameters):
        return  # what asks for the network is bound to it, which builds it, too
    question = {"kind": tested.kind, "name": tested.name, "parameters": dict(parameters), "classes": classes}
    tried = tested.kind == "metric" and ":" in tested.name
    module = "freqmaps.correlation._verify" if tried else "freqmaps.core.asked"
    questions.add(module, question | {"code": _digest(tested)}, where)


def names(questions: Questions, tested: components.Component, parameters: Mapping[str, Any], where: str) -> None:
    """Have the names in the parameters of a component checked that cannot be tried without images.

    Parameters
    ----------
    questions
        Of the study; they are asked together.
    tested, parameters
        A dataset or a model, whose ``CHECK`` is called with its parameters as specs hold them.
    where
        The place in the config, for messages.
    """
    if "CHECK" in tested.constants and is_open(tested, parameters):
        values = components.current(tested, parameters)
        question = {"kind": "check", "name": tested.constants["CHECK"], "parameters": values}
        questions.add("freqmaps.core.asked", question | {"code": _digest(tested)}, where)


def settings(questions: Questions, component: components.Component, resolved: Mapping[str, Any], where: str) -> None:
    """Have it checked that settings fit together, which their class finds out when it is made.

    Parameters
    ----------
    questions
        Of the study; they are asked together.
    component, resolved
        The class, and its fields as specs hold them; it is made with those that it names in ``ASKED``.
    where
        The place in the config, for messages.
    """
    values = components.current(component, resolved)
    asked = {name: values[name] for name in component.constants.get("ASKED", ()) if name in values}
    if is_open(component, asked):
        name = f"{component.module}:{component.function}"
        question = {"kind": "settings", "name": name, "parameters": asked, "code": _digest(component)}
        questions.add("freqmaps.core.asked", question, where)


def _digest(component: components.Component) -> str:
    return code.stage_digest([component.path])


def basis(
    questions: Questions, description: Mapping[str, Any], model: Mapping[str, Any], shape: Mapping[str, int],
    code: str, where: str,
) -> None:  # fmt: skip
    """Have it checked that a basis fits a network: that it has the layer named, say.

    Parameters
    ----------
    questions
        Of the study; they are asked together.
    description, model
        ``kind`` and ``parameters`` of the basis; ``architecture`` and ``parameters`` of the model.
    shape
        Its ``classes``, ``channels`` and ``size``.
    code
        Digest of the code of both: another network may have other layers.
    where
        The place in the config, for messages.
    """
    question = {"basis": dict(description), "model": dict(model), "shape": dict(shape), "code": code}
    questions.add("freqmaps.maps._verify", question, where)
