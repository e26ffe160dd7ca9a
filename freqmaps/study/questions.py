"""Questions that a study puts to another process, which may import torch and a user's modules; answers are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqmaps.core.asked import NOTE, UNANSWERED
from freqmaps.core.cache import cache_folder
from freqmaps.core.errors import ConfigError
from freqmaps.core.files import write_text
from freqmaps.provenance import keys

DECIDES_NUMBERS = False


class Questions:
    """Questions whose only answer is a refusal: collected, and put to one process together, each once."""

    def __init__(self) -> None:
        self._waiting: dict[Path, tuple[str, str, str]] = {}

    def add(
        self, module: str, question: Mapping[str, Any], where: str, beside: Mapping[str, Any] | None = None
    ) -> None:
        """Note a question that has not been answered yet.

        Parameters
        ----------
        module
            Its ``main`` answers: it raises, or not.
        question
            JSON; the answer is remembered by it.
        where
            The place in the config, for messages.
        beside
            What the module is told beside it, and decides no answer.
        """
        cached = _kept(module, question)
        if not cached.exists():
            self._waiting.setdefault(cached, (module, json.dumps({**(beside or {}), **question}), where))

    def ask(self) -> None:
        """Have all questions answered.

        Raises
        ------
        ConfigError
            The first one that is refused.
        """
        if not self._waiting:
            return
        asked = list(self._waiting.values())
        process = _run(["freqmaps.core.asked"], json.dumps([[module, question] for module, question, _ in asked]))
        if process.returncode:
            places = ", ".join(dict.fromkeys(where for *_, where in asked))
            raise ConfigError(f"{places}: {_reason(process)}")
        answers = json.loads(process.stdout)
        for cached, (status, _) in zip(self._waiting, answers, strict=True):
            if not status:
                _remember(cached, "")
        for (*_, where), (status, sentence) in zip(asked, answers, strict=True):
            if status not in (0, UNANSWERED):
                raise ConfigError(f"{where}: {sentence}")
        _show_notes(process)
        self._waiting.clear()


def ask(module: str, question: Mapping[str, Any], beside: Mapping[str, Any], where: str, *, again: bool = False) -> str:
    """Have a module, run in a process of its own, answer a question that it has not answered yet.

    Raises
    ------
    ConfigError
        It is refused.
    """
    cached = _kept(module, question)
    if cached.exists() and not again:
        return cached.read_text(encoding="utf-8").strip()
    process = _run([module, json.dumps({**beside, **question})])
    if process.returncode == UNANSWERED:
        return ""
    if process.returncode:
        raise ConfigError(f"{where}: {_reason(process)}")
    _show_notes(process)
    printed = process.stdout.strip().splitlines()
    _remember(cached, printed[-1] if printed else "")
    return printed[-1] if printed else ""


def _kept(module: str, question: Mapping[str, Any]) -> Path:
    return cache_folder() / "checkpoints" / keys.key({"asked": module, **question})


def _run(command: list[str], standard_input: str | None = None) -> subprocess.CompletedProcess[str]:
    # A user's own modules are found there as they are here.
    path = os.pathsep.join(dict.fromkeys(filter(None, [*sys.path, os.environ.get("PYTHONPATH")])))
    return _start(command, standard_input, os.environ | {"PYTHONPATH": path})


def _start(
    command: list[str], standard_input: str | None, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a module in a process of its own; the tests fork one that has imported torch."""
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, input=standard_input,
        env=environment,
    )  # fmt: skip


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return (
            f"the process that was to try it ended by signal {-done.returncode}; a library that it loads may be broken"
        )
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it could not be loaded"


def _show_notes(done: subprocess.CompletedProcess[str]) -> None:
    for note in done.stderr.splitlines():
        if note.startswith(NOTE):
            print(note, file=sys.stderr)


def _remember(cached: Path, text: str) -> None:
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_text(cached, text)
    except OSError:
        return  # a cache that cannot be written costs time, nothing else
