"""The fenced blocks of README.md and docs/*.md, and what the config of a page needs to be resolved."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml

from freqmaps.models import build_classifier
from tests import dataset_files as files
from tests.workflow import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
#: Components that pages call the user's own: the module and name that configs give, and the block that defines it.
OWN = {
    "mylab/nets.py": ("wide_resnet", "add-a-model.md", 0),
    "mylab/regimes.py": ("noise", "add-a-regime.md", 0),
    "mylab/penalties.py": ("confidence", "add-a-regulariser.md", 0),
    "mylab/attacks.py": ("noise", "add-an-attack.md", 0),
    "mylab/dirt.py": ("stripes", "add-a-corruption.md", 0),
    "mylab/walsh.py": ("build", "add-a-basis.md", 0),
    "mylab/logits.py": ("build", "add-an-objective.md", 0),
    "mylab/means.py": ("compute", "add-a-metric.md", 0),
    "mylab/high.py": ("compute", "add-an-evaluation.md", 0),
    "mylab/simulated.py": ("compute", "add-a-simulation.md", 0),
}
#: Kinds of pages that explain a file in the package, and the same file as the user's own.
_ELSEWHERE = {
    "walsh": "mylab.walsh:build", "keep_logits": "mylab.logits:build", "row_means": "mylab.means:compute",
    "high_pass": "mylab.high:compute", "my_simulation": "mylab.simulated:compute",
}  # fmt: skip


class Block(NamedTuple):
    """A fenced block: its page, language, number among those of the same language on the page, and text."""

    page: str
    language: str
    number: int
    text: str


def blocks(language: str) -> list[Block]:
    """Return all blocks of a language; those without one are shell commands, trees of files, or what a command says."""
    found = []
    for page in PAGES:
        fenced = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.S | re.M)
        texts = [text for named, text in fenced if named == language]
        found += [Block(page.name, language, i, textwrap.dedent(text)) for i, text in enumerate(texts)]
    return found


def block(page: str, language: str, number: int) -> str:
    """Return the text of a block."""
    return next(one.text for one in blocks(language) if one[:3] == (page, language, number))


def prepare(folder: Path) -> None:
    """Write what the configs of pages name: own modules, checkpoints, images."""
    for name, (function, page, number) in OWN.items():
        text = block(page, "python", number)
        if page in ("add-a-model.md", "add-a-corruption.md"):  # a file of the package has its function's usual name
            text = re.sub(r"^def (build|corrupt)\(", f"def {function}(", text, flags=re.M)
        if page == "add-a-model.md":  # pages give it other parameters
            text = text.replace("bias: bool = True", "bias: bool = True, depth: int = 28, width: int = 10")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for path, depth in (("ours.pt", 20), ("weights/resnet56.pt", 56)):
        (folder / path).parent.mkdir(exist_ok=True)
        net = build_classifier("resnet_cifar", {"depth": depth}, classes=10, channels=3, size=32, seed=0).net
        torch.save(net.state_dict(), folder / path)
    classes = [str(i) for i in range(10)]
    both = files.tree(classes=classes, n=13, size=(32, 32))
    for place in ("images", "birds"):
        files.as_folder(folder / place, both)
    (folder / "data").mkdir()
    for split in ("train", "test"):
        files.as_tar(folder / "data" / f"{split}.tar", files.tree(splits=("",), classes=classes, n=3, size=(32, 32)))
    files.array_file(folder / "data" / "toys.npz")
    rng = np.random.default_rng(0)
    (folder / "data" / "CIFAR-10-C").mkdir()
    for name in ("fog", "labels"):
        shape = (100, 32, 32, 3) if name == "fog" else (100,)
        np.save(folder / "data" / "CIFAR-10-C" / f"{name}.npy", rng.integers(0, 10, shape, dtype=np.uint8))


def config(text: str) -> dict:
    """Return a block of YAML of a page as an overlay: own kinds in place of files of the package."""
    for kind, own in _ELSEWHERE.items():
        text = re.sub(rf"\b(kind|objective|basis): {kind}\b", rf'\1: "{own}"', text)
    found = yaml.safe_load(text.replace("- …\n", "- datasets: [photos]\n"))
    return found if isinstance(found, dict) else {}


_NET = {"architecture": "resnet_cifar", "depth": 8, "width": 4, "normalise": "none"}
_RUN = {
    "datasets": ["photos"], "models": ["net"], "trainings": ["standard"], "samples": {"split": "test", "first": 4},
    "attacks": ["fmn", "pgd-8_255", "pgd-2_16"], "maps": ["ce"], "metrics": ["cosine"],
}  # fmt: skip
_BASE = {
    "study": "docs", "items": [], "simulations": {}, "atlas": {"samples": 0},
    "datasets": {"photos": {"kind": "image_folder", "root": "birds"}}, "models": {"net": _NET},
    "attacks": {"pgd-8_255": {"kind": "pgd", "epsilon": "8/255", "steps": 40}},
    "evaluations": {"spectra": {"kind": "perturbation_spectra"}}, "metrics": {"cosine": {"kind": "cosine"}},
}  # fmt: skip
#: Sections whose entries a run lists by name.
_LISTED = ("trainings", "attacks", "maps", "group_maps", "metrics", "pairings", "evaluations")


def overlay(given: dict) -> dict:
    """Return a study of small photographs in which runs ask for every entry of a page's config."""
    whole = {key: dict(value) if isinstance(value, dict) else value for key, value in _BASE.items()}
    own = [run for run in given.get("runs", []) if isinstance(run, dict)]
    beside = {key: given[key] for key in ("snapshots",) if key in given}
    listed = {key: list(given[key]) for key in _LISTED if key in given}
    whole["runs"] = [_RUN | beside | run | listed for run in own or [{}]]
    for name, entry in given.get("models", {}).items():
        brought = {"trainings": ["given"]} if "checkpoint" in entry else {}
        whole["runs"].append({"datasets": ["photos"], "models": [name], "trainings": ["standard"]} | brought)
    for name in given.get("datasets", {}):
        whole["runs"].append({"datasets": [name], "models": ["small-cnn"], "trainings": ["standard"]})
    for key, value in given.items():
        if key not in ("runs", "snapshots"):
            whole[key] = whole.get(key, {}) | value if isinstance(value, dict) else value
    return whole
