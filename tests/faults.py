"""Faults made on purpose: a small study whose jobs are run one by one, killed, starved, or given damaged files.

Jobs run by the command lines that Snakemake prints. They are forked from a process that has imported the libraries
already, so that what is killed at a random moment is the job's work and not the import of torch.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from freqmaps.stages import PUBLISHED, STAGES
from tests import forked
from tests.fault_numbers import NOT_NUMBERS, numbers
from tests.workflow import clone, snakemake

#: Snapshots have the threads of their training.
TAKING_THREADS = [stage for stage in STAGES if stage not in (*PUBLISHED, "snapshots")]

NETS = '''
"""A lab's own network."""
from torch import nn


def tiny(*, classes, channels, size, width: int = 4):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(),
        nn.Linear(width * size * size, classes),
    )
'''

STUDY = {
    "study": "faults",
    "device": "cpu",
    "shard": 24,
    "together": 0,
    "threads": dict.fromkeys(TAKING_THREADS, 1),
    "datasets": {"ours": {"kind": "image_folder", "root": "images", "test_fraction": 0.5}},
    "models": {"tiny": {"architecture": "mylab.nets:tiny", "normalise": "dataset"}},
    "trainings": {name: {"epochs": 6, "batch": 32, "learning_rate": 0.05} for name in ("short", "followed")},
    "attacks": {"pgd": {"kind": "pgd", "epsilon": 0.2, "steps": 10}},
    "maps": {"ce": {"min_steps": 60, "max_steps": 120, "penalty": 0.01}},
    "group_maps": {"sets": {"objective": "invariance", "batch": 16, "epochs": 4, "learning_rate": 0.05}},
    "evaluations": {"filtered": {"kind": "filtered_accuracy", "maps": "ce"}},
    "metrics": {"cosine": {"kind": "cosine"}, "svcca": {"kind": "svcca"}},
    "simulations": {"f21-theorems": None},  # half a minute; the other one takes a second
    "runs": [
        {
            "datasets": ["ours"], "models": ["tiny"], "trainings": ["short"], "attacks": ["pgd"], "maps": ["ce"],
            "metrics": ["cosine", "svcca"], "samples": {"first": 40}, "group_maps": ["sets"],
            "evaluations": ["filtered"],
        },
        {"datasets": ["ours"], "models": ["tiny"], "trainings": ["followed"], "snapshots": ["last"],
         "attacks": ["pgd"], "samples": {"first": 24}},
    ],
    "items": [{"item": "B25-T1", "attacks": ["pgd"]}, {"item": "B25-F1", "attack": "pgd"}],
}  # fmt: skip

_COMMAND = re.compile(r"python (\S*workflow_scripts/(?!lay)\w+\.py .*)")


@dataclass(frozen=True)
class Command:
    """A job's command line."""

    words: tuple[str, ...]

    @property
    def stage(self) -> str:
        return Path(self.words[0]).stem

    @property
    def _result(self) -> dict:
        """What it is told to make: one result, since the study gives each a job of its own."""
        (found,) = json.loads(self.words[self.words.index("--results") + 1])
        return found

    @property
    def name(self) -> str:
        """What tells it from the other jobs: where it writes."""
        return "/".join([self.stage, self.folder.split("/")[-1]])

    @property
    def folder(self) -> str:
        """The keyed folder, below the working directory."""
        return f"{self.words[self.words.index('--root') + 1]}/{self._result['path']}"

    @property
    def reads(self) -> list[str]:
        """The keyed folders that it reads, below the root."""
        start, end = self.words.index("--inputs") + 1, self.words.index("--logs")
        return list(self.words[start:end])


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    code: int
    text: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.code == -9

    def sentence(self, *parts: str) -> str:
        """Return the one sentence that a failed job ends with, and check that it is one and has these parts."""
        assert self.code == 1, f"exit status {self.code}:\n{self.text}"
        assert "Traceback" not in self.text, self.text
        errors = [line for line in self.text.splitlines() if " ERROR " in line]
        assert len(errors) == 1, self.text
        assert self.text.splitlines()[-1] == errors[0]
        for part in parts:
            assert part in errors[0], f"{part!r} is not in: {errors[0]}"
        return errors[0].partition(" ERROR ")[2]


def lab(folder: Path, study: dict = STUDY, nets: str = NETS, n: int = 120) -> Path:
    """Make a clone with images, a network and a study of its own."""
    clone(folder)
    pictures(folder / "images", n)
    (folder / "mylab").mkdir(exist_ok=True)
    (folder / "mylab" / "nets.py").write_text(nets)
    (folder / "ours.yaml").write_text(yaml.safe_dump(study))
    return folder


def pictures(folder: Path, n: int = 120) -> None:
    """Write real images in class folders: scikit-learn's digits 0 to 3, tinted, as PNG."""
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    for i in np.flatnonzero(labels < 4)[:n]:
        target = folder / f"class{labels[i]}"
        target.mkdir(parents=True, exist_ok=True)
        grey = (digits[i].reshape(8, 8) / 16 * 255).astype(np.uint8)
        Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=-1)).save(target / f"{i:04d}.png")


@dataclass
class Workshop:
    """A lab's clone whose jobs are run one by one."""

    folder: Path
    commands: list[Command] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, target: str = "all") -> Workshop:
        """Ask Snakemake for the jobs, in an order that works."""
        done = snakemake(folder, "-n", "-p", target, "--configfile", "ours.yaml")
        found = [_COMMAND.search(line) for line in (done.stdout + done.stderr).splitlines()]
        return cls(folder, [Command(tuple(shlex.split(m[1].partition(" 2> ")[0]))) for m in found if m])

    def elsewhere(self, folder: Path) -> Workshop:
        """Return a copy with the results so far, for the same commands."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(".snakemake", "__pycache__"))
        return Workshop(folder, self.commands)

    def run(
        self,
        command: Command,
        *,
        fault: Callable[..., None] | None = None,
        given: tuple[object, ...] = (),
        kill_after: float | None = None,
    ) -> Outcome:
        """Run a job, with a fault prepared in its process, or killed after some seconds."""
        process = forked.context().Process(target=_job, args=(self.folder, command.words, fault, given))
        start = time.monotonic()
        process.start()
        process.join(120 if kill_after is None else kill_after)
        if process.is_alive():
            process.kill()
            process.join()
            assert kill_after is not None, f"{command.name} does not end"
        seconds = time.monotonic() - start
        text = (self.folder / ".output").read_text() if (self.folder / ".output").exists() else ""
        return Outcome(process.exitcode, text, seconds)

    def finish(self, commands: Iterable[Command] | None = None) -> dict[Command, float]:
        """Run jobs (all, unless told) to their ends; return their seconds."""
        taken = {}
        for command in self.commands if commands is None else commands:
            done = self.run(command)
            assert done.code == 0, f"{command.name}:\n{done.text}"
            taken[command] = done.seconds
        return taken

    def first(self, stage: str, *, containing: str = "") -> Command:
        return next(c for c in self.commands if c.stage == stage and containing in " ".join(c.words))

    def path(self, command: Command) -> Path:
        """Return the keyed folder of a job."""
        return self.folder / command.folder

    def after(self, command: Command) -> list[Command]:
        """Return the jobs that read a job's result directly."""
        return [c for c in self.commands if command._result["path"] in c.reads]

    def made_by(self, command: Command) -> list[Path]:
        """Return the files that a job has made, of which its log is none."""
        return [p for p in self.path(command).rglob("*") if p.is_file() and p.name not in NOT_NUMBERS]

    def numbers(self) -> dict[str, object]:
        """Return all that the study has made."""
        return numbers(self.folder / "results")


#: The file that a stage's readers read first, where it is no store.
_MAIN = {
    "report": "report.html",
    "atlas": "atlas.html",
    "training": "model.safetensors",
    "snapshots": "model.safetensors",
    "correlation": "correlation.csv",
    "evaluation": "evaluation.csv",
}


def main_file(shop: Workshop, command: Command) -> Path:
    """Return the file that the readers of a job's result read first."""
    return shop.path(command) / _MAIN.get(command.stage, "store.zarr.zip")


def undo(shop: Workshop, command: Command) -> None:
    """Remove what a job has made, with all that lies beside it."""
    shutil.rmtree(shop.path(command), ignore_errors=True)


# --- a job in a process of its own


def _job(folder: Path, words: tuple[str, ...], fault: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    os.chdir(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / ".cache")
    output = os.open(folder / ".output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.path.insert(0, str(folder))
    sys.argv = list(words)
    if fault:
        fault(*given)
    runpy.run_path(words[0], run_name="__main__")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, dict[Command, float], dict[str, object]]:
    """A study run to its end: its workshop, the seconds of each job, and its numbers."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        fresh = Workshop.of(lab(folder / "lab"))
        warm = forked.context().Process(target=str)  # the first job would wait for the imports
        warm.start()
        warm.join()
    done = fresh.elsewhere(folder / "done")
    seconds = done.finish()
    return done, seconds, done.numbers()
