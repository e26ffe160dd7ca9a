"""Helpers that the commands share: adding a command to the parser, reading the study, finding the results root."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freqmaps.study.build import Study

DECIDES_NUMBERS = False

Commands = Any
Run = Callable[[argparse.Namespace], int]


def add(commands: Commands, name: str, run: Run, text: str, *, config: bool = False) -> argparse.ArgumentParser:
    """Add a command; ``config`` gives it ``--configfile``."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    if config:
        command.add_argument(
            "--configfile", nargs="+", action="append", default=[], type=Path, metavar="FILE",
            help="overlays on config.yaml, as for snakemake",
        )  # fmt: skip
    return command


def read_study(overlays: Sequence[Sequence[Path]]) -> Study:
    """Resolve ``config.yaml`` with overlays."""
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files

    return study(read_files([Path("config.yaml"), *(p for group in overlays for p in group)]))


def configured_root(overlays: Sequence[Sequence[Path]]) -> Path:
    """Return the results root that ``config.yaml`` with overlays names; ``results`` where there is no config."""
    from freqmaps.study.config import read_files

    files = [Path("config.yaml"), *(p for group in overlays for p in group)]
    return Path(read_files(files).get("results", "results") if overlays or files[0].exists() else "results")
