"""The processes that answer a study's questions, forked from one that has imported torch: each anew takes seconds."""

from __future__ import annotations

import io
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests import forked


def start_forked(
    command: list[str], standard_input: str | None, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Take the place of ``freqmaps.study.questions._start``: the same process but for its start."""
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder) / name for name in ("stdout", "stderr")]
        given = (command, standard_input, dict(environment), str(Path.cwd()), list(map(str, printed)))
        process = forked.context().Process(target=_answer, args=given)
        process.start()
        process.join()
        texts = [file.read_text(encoding="utf-8") if file.exists() else "" for file in printed]
        return subprocess.CompletedProcess(command, process.exitcode, *texts)


def _answer(
    command: list[str], standard_input: str | None, environment: dict[str, str], folder: str, printed: list[str]
) -> None:
    for number, file in enumerate(printed, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    sys.stdin = io.StringIO(standard_input or "")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [folder, *environment["PYTHONPATH"].split(os.pathsep)]
    sys.argv[1:] = command[1:]
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
