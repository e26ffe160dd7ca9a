"""A small study of a finished network and of snapshots of its training, which has every stage and three evaluations."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

from freqmaps.results.verify import Verifier
from freqmaps.study.build import Study, study
from freqmaps.study.config import merge, read_files
from freqmaps.study.graph import SCRIPTS
from freqmaps.study.jobs import Batch
from tests import starter
from tests.workflow import REPOSITORY

#: Two epochs of three steps: 180 images in batches of 64.
STEPS = 6
_RUN = {
    "datasets": ["digits"], "models": ["net"], "trainings": ["short"], "samples": {"first": 40}, "attacks": ["fgsm"],
    "maps": ["ce"], "group_maps": ["sets"], "metrics": ["cosine"], "evaluations": ["spectra", "filtered", "masked"],
}  # fmt: skip
STUDY: dict[str, Any] = {
    "study": "snapshots",
    "device": "cpu",
    "datasets": {"digits": {"kind": "digits", "test_fraction": 0.9}},
    "models": {"net": {"architecture": "small_cnn", "width": 8, "normalise": "none"}},
    "trainings": {
        "short": {"epochs": 2, "batch": 64, "learning_rate": 0.2, "schedule": "constant", "flip": True},
        "shorter": {"epochs": 1, "batch": 64, "learning_rate": 0.2, "schedule": "constant", "flip": True},
    },
    "attacks": {"fgsm": {"kind": "fgsm", "epsilon": 0.3}},
    "maps": {"ce": {"min_steps": 10, "max_steps": 10}},
    "group_maps": {"sets": {"objective": "invariance", "epochs": 2, "samples": {"split": "train"}}},
    "evaluations": {
        "spectra": {"kind": "perturbation_spectra", "images": 10, "steps": 2, "examples": 2},
        "filtered": {"kind": "filtered_accuracy", "maps": "ce"},
        "masked": {"kind": "group_accuracy", "group_maps": "sets"},
    },
    "metrics": {"cosine": {"kind": "cosine"}},
    "runs": [_RUN, _RUN | {"snapshots": [0, 2, "last"]}],
    "items": [{"item": "B25-T1", "attacks": ["fgsm"]}],
    "atlas": {"samples": 4},
}  # fmt: skip


def changed(*runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the overlay with other sections, and with its two runs changed: the finished network's, the snapshots'."""
    found = copy.deepcopy(STUDY)
    merge(found, changes)
    for run, given in zip(found["runs"], runs, strict=False):
        run.update(given)
    return found


def config(root: Path | str, overlay: dict[str, Any] = STUDY, **changes: Any) -> dict[str, Any]:
    """Return the whole config of an overlay, with a results root; without the simulations of the default study."""
    found = read_files([REPOSITORY / "config.yaml"])
    merge(found, overlay | {"results": str(root)} | changes)
    return found | {"simulations": {}}


def resolved(root: Path | str, overlay: dict[str, Any] = STUDY, **changes: Any) -> Study:
    """Resolve the config of an overlay."""
    return study(config(root, overlay, **changes))


def command(batch: Batch, root: Path) -> list[str]:
    """Return the command line of a job, as the workflow runs it."""
    logs = [str(root / node.path / "log.txt") for node in batch.nodes]
    line = [str(starter.python()), str(SCRIPTS / f"{batch.stage}.py"), "--root", str(root)]
    return [*line, "--results", json.dumps(batch.results), "--inputs", *batch.named_inputs, "--logs", *logs]


def run(batch: Batch, root: Path) -> None:
    """Run a job to its end."""
    done = subprocess.run(command(batch, root), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def training_job(root: Path, overlay: dict[str, Any] = STUDY) -> Batch:
    """Return the job of the training and its snapshots."""
    (found,) = [batch for batch in resolved(root, overlay).batches if batch.stage == "snapshots"]
    return found


def weights_below(root: Path) -> dict[str, bytes]:
    """Return the bytes of all weights by their path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("model.safetensors")}


def problems(root: Path) -> tuple[list[str], Verifier]:
    """Return what is wrong under a root, and who has looked; a clone for tests has no commit."""
    verifier = Verifier(root)
    return [p for p in verifier.problems() if "no 'commit'" not in p], verifier
