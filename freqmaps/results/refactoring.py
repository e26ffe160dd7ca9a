"""Proof by recomputation: after a refactoring, finished results are made again with the new code and compared.

Where a stage's code has another digest, its results would have other keys and be made again. If the numbers are the
same, they need not: some of the finished results are remade in a scratch folder and compared with the stored ones, bit
for bit on the same kind of device with the same libraries, else within the tolerance that batch and device already
have. Only then is the new digest declared to give the numbers of the old one (freqmaps/provenance/equivalent.yaml).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.core.files import write_text
from freqmaps.core.processor import BOUNDS
from freqmaps.provenance import code, manifest
from freqmaps.results.compare import Difference, compare
from freqmaps.stages import PUBLISHED
from freqmaps.study.graph import SCRIPTS, Node

DECIDES_NUMBERS = False

#: Results of other devices or libraries may differ by so much, relative to the largest value: single precision, summed
#: in another order.
TOLERANCE = 1e-4
#: Fields of a result's provenance: where they agree, the same code gives the same numbers to the last bit.
_DECIDE_THE_LAST_DIGIT = ("device", "machine", "processor", "threads", "python", "libraries")


@dataclass(frozen=True)
class Changed:
    """Finished results whose code has changed and nothing else.

    Attributes
    ----------
    stage, old, new
        The stage, and the digests of its code.
    results
        Node and folder of the stored result, cheapest first.
    """

    stage: str
    old: str
    new: str
    results: tuple[tuple[Node, Path], ...]


def changed(nodes: Sequence[Node], root: Path) -> list[Changed]:
    """Return the results under a root that differ from a study's in the digest of their code alone, by digests."""
    by_digests: dict[tuple[str, str, str], list[tuple[float, Node, Path]]] = {}
    for node in nodes:
        # Tables, figures and pages are made again in seconds.
        if node.stage in PUBLISHED or (root / node.path / manifest.NAME).exists():
            continue
        for folder, read in _siblings(root / node.path):
            old, new = read["spec"].get("code"), node.spec["code"]
            if old != new and _but_code(read["spec"]) == _but_code(node.spec):
                seconds = float(read["provenance"].get("wall_s", 0.0))
                by_digests.setdefault((node.stage, str(old), str(new)), []).append((seconds, node, folder))
    return [
        Changed(*which, tuple((node, folder) for _, node, folder in sorted(group, key=lambda timed: timed[0])))
        for which, group in by_digests.items()
    ]


def _siblings(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.parent.glob(f"*/{manifest.NAME}")):
        try:
            yield path.parent, manifest.read(path)
        except StoreError:
            continue


def _but_code(spec: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in spec.items() if k != "code"}, sort_keys=True)


def prove(change: Changed, root: Path, *, results: int, why: str) -> dict[str, Any]:
    """Remake some results of a stage with the new code and compare them; return the declaration to write.

    Parameters
    ----------
    change
        Results whose code alone has changed.
    root
        The results root: inputs are read from it, nothing is written to it.
    results
        How many to remake, the cheapest ones.
    why
        What was changed, in the author's words.

    Raises
    ------
    FreqmapsError
        A result differs: which, which variable, by how much. Or it could not be remade.
    """
    remade = []
    for node, folder in change.results[:results]:
        with tempfile.TemporaryDirectory(prefix="freqmaps-") as scratch:
            stored = manifest.read(folder)
            new_folder = _remade(node, root, Path(scratch), int(stored["provenance"].get("threads", 0)))
            exact = _same_machine(stored, manifest.read(new_folder))
            worst = max(compare(folder, new_folder), default=Difference(0.0, 0.0, ""))
            allowed = 0.0 if exact else TOLERANCE
            if not worst.relative <= allowed:
                raise FreqmapsError(
                    f"{node.path}: the new code gives other numbers: {worst.what} differs by {worst.absolute:.3g} "
                    f"({worst.relative:.3g} of its largest value) from {folder.name}{_where(exact)}; nothing "
                    f"is declared for {node.stage}"
                )
            remade.append({"result": node.path.rpartition("/")[0], "key": folder.name, "differs_by": worst.absolute,
                         "compared": "bit for bit" if exact else f"within {TOLERANCE:g}"})  # fmt: skip
    evidence = {"date": manifest.now(), "commit": manifest.origin()["commit"], "remade": remade}
    return {"stage": change.stage, "old": change.old, "new": change.new, "why": why, "evidence": evidence}


def _where(exact: bool) -> str:
    return "" if exact else ", which was made on another device or processor or with other threads or libraries"


def declare(entries: Sequence[Mapping[str, Any]]) -> None:
    """Add declarations to the package's file, whole or not at all."""
    before = code.EQUIVALENT.read_text(encoding="utf-8") if code.EQUIVALENT.exists() else ""
    text = yaml.safe_dump([dict(entry) for entry in entries], sort_keys=False, width=110, allow_unicode=True)
    write_text(code.EQUIVALENT, before + text)
    code.forget()


def _same_machine(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two results were made on the same kind of device and processor, with the same threads and libraries.

    What a killed job has begun may come from another machine.
    """
    x, y = a["provenance"], b["provenance"]
    whole = not x.get("resumed") and not y.get("resumed")
    return whole and all(x.get(name) == y.get(name) for name in _DECIDE_THE_LAST_DIGIT)


def _remade(node: Node, root: Path, scratch: Path, threads: int) -> Path:
    """Run a stage's script for a result, with its inputs linked into a scratch root; return the new folder.

    It computes with as many threads as the stored result was made with: an option that decides no key, but the order in
    which numbers are added.
    """
    for source in node.inputs:
        link = scratch / source.path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((root / source.path).resolve(), target_is_directory=True)
    options = {**node.options, "threads": threads or node.options.get("threads", 1)}
    results = [{"path": node.path, "spec": dict(node.spec), "options": options}]
    command = [
        sys.executable,
        str(SCRIPTS / f"{node.stage}.py"),
        "--root",
        str(scratch),
        "--results",
        json.dumps(results),
    ]
    command += ["--inputs", *(source.path for source in node.inputs)] if node.inputs else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SCRIPTS.parent), os.environ.get("PYTHONPATH", "")])}
    environment |= dict.fromkeys(BOUNDS, str(options["threads"]))
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if process.returncode:
        reason = process.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise FreqmapsError(f"{node.path}: could not be made again with the new code: {reason[0]}")
    return scratch / node.path
