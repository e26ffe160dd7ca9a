"""Running the workflow in a clone of the working tree, as a user would."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests import starter

REPOSITORY = Path(__file__).resolve().parent.parent
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
    left_out = {"__pycache__", *(() if results else ("results",)), *(() if metadata else (".snakemake",))}

    def ignored(folder: str, names: list[str]) -> set[str]:
        return left_out & set(names) if Path(folder) == of else {"__pycache__"}

    shutil.copytree(of, target, ignore=ignored, dirs_exist_ok=True)
    return target


def scramble_times(folder: Path, seed: int = 0) -> None:
    """Give every file a random age of up to three years."""
    rng = random.Random(seed)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        age = 1.6e9 + rng.random() * 1e8
        os.utime(path, (age, age))


def snakemake(
    folder: Path, *words: str, timeout: float = 600, check: bool = True, anew: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a clone; it and its jobs are forked (tests/starter.py), unless they are to be started anew."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    line = SNAKEMAKE if anew else [str(starter.python()), *SNAKEMAKE[1:]]
    done = subprocess.run(
        [*line, *words], cwd=folder, capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"snakemake {' '.join(words)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}")
    return done


def due(folder: Path, *words: str) -> set[str]:
    """Return what a dry run would make: a stage with what tells its jobs apart, the items, the report, the atlas."""
    done = snakemake(folder, "-n", "--printshellcmds", *words)
    return due_in(done.stdout + done.stderr, folder)


def due_in(printed: str, folder: Path | None = None) -> set[str]:
    """Return what the output of a dry run in a folder says would be made."""
    return {_called(one) for one in results_in(printed) if not _stands(folder, one)}


def results_in(printed: str) -> list[dict]:
    """Return the results that printed command lines tell jobs to make: ``root``, ``path`` and ``spec`` of each."""
    found = []
    for line in printed.splitlines():
        command = re.search(r"python \S*workflow_scripts/(?!lay)\w+\.py .*", line)
        if command:
            words = shlex.split(command[0])
            root = words[words.index("--root") + 1]
            found += [one | {"root": root} for one in json.loads(words[words.index("--results") + 1])]
    return found


def _stands(folder: Path | None, one: dict) -> bool:
    return folder is not None and (folder / one["root"] / one["path"] / "manifest.json").exists()


def _called(one: dict) -> str:
    stage = one["spec"]["stage"]
    if stage == "items":
        return one["spec"]["names"]["item"]
    return stage if stage in ("report", "atlas") else _place(stage, one["path"])


def _place(stage: str, path: str) -> str:
    """``.../seed0/maps/ce/adversarial/fmn/self/test-0-60/<key>`` is ``maps/0/fmn``; of a snapshot, ``maps/0@5/fmn``."""
    if stage in ("datasets", "simulation"):
        return stage
    seed, step, names = re.search(rf"/seed(\d+)/(?:step(\d+)/)?{stage}/(.*)$", path).groups()
    seed = seed if step is None else f"{seed}@{step}"
    parts = names.split("/")[:-1]
    kept = [] if stage in ("training", "snapshots") else parts
    if stage in ("maps", "group_maps"):
        images, attack = parts[1:3]
        of = {"essential": [images], "adversarial": [attack]}.get(images, [images, attack])
        kept = [*(parts[:1] if stage == "group_maps" else []), *of]
    if stage in ("attacks", "matrices", "correlation"):
        kept = [p for p in parts[stage != "attacks" :] if p != "matched" and not re.match(r"(test|train|all)-\d", p)]
    return "/".join([stage, seed, *kept])
