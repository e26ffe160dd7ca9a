"""Running the workflow in a clone of the working tree, as a user would."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TARGETS = {"all", "stores", "b25", "B25-T1", "B25-F3"}
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def clone(target: Path, *, of: Path = REPOSITORY, results: bool = False, metadata: bool = False) -> Path:
    """Copy what git tracks (and new files it does not ignore) to a folder; with results or Snakemake's records too."""
    if of == REPOSITORY:
        listed = subprocess.run(
            ["git", "-C", str(of), "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            if (of / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(of / name, target / name)
        return target
    left_out = ["__pycache__", *([] if results else ["results"]), *([] if metadata else [".snakemake"])]
    shutil.copytree(of, target, ignore=shutil.ignore_patterns(*left_out), dirs_exist_ok=True)
    return target


def scramble_times(folder: Path, seed: int = 0) -> None:
    """Give every file a random age of up to three years."""
    rng = random.Random(seed)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        age = 1.6e9 + rng.random() * 1e8
        os.utime(path, (age, age))


def snakemake(folder: Path, *words: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a clone."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*SNAKEMAKE, *words], cwd=folder, capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"snakemake {' '.join(words)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}")
    return done


def due(folder: Path, *words: str) -> set[str]:
    """Return what a dry run would make: rule names, with the wildcards that tell jobs of one rule apart."""
    done = snakemake(folder, "-n", *words)
    text = done.stdout + "\n" + done.stderr
    found = set()
    for block in re.split(r"\n(?=\[|rule |localrule )", text):
        rule = re.search(r"^(?:local)?rule (\S+):", block, flags=re.MULTILINE)
        if not rule or rule[1].startswith("stamp_"):
            continue
        if rule[1] in TARGETS:
            continue
        wildcards = dict(re.findall(r"(\w+)=([^,\s]+)", _line(block, "wildcards")))
        place = [wildcards[w] for w in ("seed", "of", "attack", "metric") if w in wildcards]
        found.add("/".join([rule[1].removeprefix("item_"), *place]))
    return found


def _line(block: str, name: str) -> str:
    found = re.search(rf"^\s+{name}: (.*)$", block, flags=re.MULTILINE)
    return found[1] if found else ""
