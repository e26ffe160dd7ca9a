"""Which files decide the numbers of each stage and component, as text: ``tests/deciding.txt`` has it for reviewers.

Run ``python -m tests.deciding`` to write that file anew after code has moved or an import has joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from freqmaps.core import components
from freqmaps.provenance import code
from freqmaps.stages import STAGES
from freqmaps.study.graph import SCRIPTS

LIST = Path(__file__).with_suffix(".txt")
_HEAD = """\
# Which files decide numbers, and with them keys: those that the script of each stage runs through, and those that the
# components of each kind run through, which count for a result that names them. Behind a file: which components of
# its kind reach it, where not all do. Each line that joins re-keys finished results: think about it.
# Written by: python -m tests.deciding
"""


def text() -> str:
    """Return the list: a section per stage and per kind of component, a line per file."""
    sections = {f"stage {stage}": [(file, "") for file in _files(SCRIPTS / f"{stage}.py")] for stage in STAGES}
    for kind in components.kinds():
        every = components.names(kind)
        of_file: dict[str, list[str]] = {}
        for name in every:
            for file in _files(components.find(kind, name).path):
                of_file.setdefault(file, []).append(name)
        sections[f"kind {kind}"] = [(file, _who(of_file[file], every)) for file in sorted(of_file)]
    parts = [[f"\n[{title}]", *(f"{file}{who}" for file, who in lines)] for title, lines in sections.items()]
    return _HEAD + "\n".join(line for part in parts for line in part) + "\n"


def _files(path: Path) -> list[str]:
    return sorted(file if "/" in file else f"workflow_scripts/{file}" for file in code.deciding([path]))


def _who(names: list[str], every: Iterable[str]) -> str:
    others = [name for name in every if name not in names]
    if not others:
        return ""
    return f": all but {', '.join(others)}" if len(others) < len(names) else f": {', '.join(names)}"


if __name__ == "__main__":
    LIST.write_text(text(), encoding="utf-8")
