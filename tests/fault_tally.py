"""What faults are tried, how each must end, and how many did: shown at the end of a run and in docs/nothing-lost.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "nothing-lost.md"
MARKS = ("<!-- faults: written by the tests -->\n", "<!-- end of faults -->\n")

#: What is tried, and what happens then.
FAULTS = {
    "SIGKILL at a random moment of a stage": "run again, it ends in the same bytes",
    "SIGKILL just before or after a rename": "run again, it ends in the same bytes; nothing half-written is left",
    "SIGKILL in the middle of a job's batches": "it goes on from the finished batches",
    "SIGKILL of a job under Snakemake, which tries again": "the same bytes",
    "SIGKILL of Snakemake, with and without its jobs": "`--unlock`, then the same command goes on; the same bytes",
    "no room for a file": "one sentence, nothing half-written; with room, it goes on",
    "disk full in the middle of a study": "one sentence, what is finished is whole; with room, it goes on",
    "results that may not be written": "one sentence with the file that is refused",
    "a results root that vanishes": "one sentence; mounted again, it goes on",
    "a results root that is not mounted": "one sentence before any work; nothing is made in its place",
    "a flipped bit": "no reader takes it; one sentence with the file and how to have it made again",
    "a truncated file": "the same",
    "an empty file": "the same",
    "a missing file": "the same",
    "a result edited by hand": "the same",
    "the result of another in its place": "the same",
    "a damaged or edited manifest": "the same",
    "a lost shard": "made again with what reads it, and nothing before it",
    "clocks that disagree": "nothing is made again: ages decide nothing",
    "NaN, infinity or values outside [0, 1] in images": "one sentence before any work, with the image",
    "NaN or infinity on its way into a store": "the writer refuses, with variable and index; no store appears",
    "NaN or infinity in a network's logits": "one sentence",
    "NaN in weights": "one sentence with the tensor; for a checkpoint of your own before any work",
    "NaN or infinity in losses": "one sentence with epoch, step and what to lower",
    "labels or shapes that do not fit": "one sentence before any work",
    "an empty class": "one sentence before any work",
    "a typo in the config": "one sentence before any work, with the nearest name",
    "one test image": "all is made; what cannot be computed is empty",
    "an attack with no success": "all is made; its maps and matrices are empty, its correlations have n = 0",
    "no map keeps the prediction": "all is made; matrices that want kept predictions are empty",
    "images that change or break while a study runs": "one sentence; nothing is made of them",
    "a network that returns probabilities, is stuck in training mode, ...": "one sentence before its training",
    "out of memory in the middle": "batches halve and it goes on; where the batch decides the numbers, one sentence",
}
tally: Counter[str] = Counter()


def survived(fault: str, count: int = 1) -> None:
    """Count faults that ended as they should."""
    assert fault in FAULTS, f"{fault!r} is not described in tests/fault_tally.py"
    tally[fault] += count


def markdown(counts: Mapping[str, int]) -> str:
    """Return the table of faults with the number tried, and their sum."""
    rows = [f"| {fault} | {FAULTS[fault]} | {counts[fault]} |" for fault in FAULTS]
    total = f"{sum(counts.values())} faults tried, {sum(counts.values())} survived."
    return "\n".join([total, "", "| fault | what happens | tried |", "|---|---|---|", *rows]) + "\n"


def written() -> dict[str, int]:
    """Read the counts that the page shows."""
    table = PAGE.read_text(encoding="utf-8").partition(MARKS[0])[2].partition(MARKS[1])[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "]
    return {fault: int(count) for fault, _, count in rows[1:]}


def write() -> None:
    """Put this run's table into the page, if the run tried all of it."""
    untried = FAULTS.keys() - tally.keys()
    if untried:
        raise ValueError(f"not tried in this run: {', '.join(sorted(untried))}; run all of tests/test_faults_*.py")
    before, start, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    PAGE.write_text(before + start + markdown(tally) + end + after, encoding="utf-8")
