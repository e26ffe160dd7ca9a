"""A results root from a notebook: list what is there, open it as xarray.

>>> import freqmaps
>>> results = freqmaps.open("results")                                     # doctest: +SKIP
>>> results.list(stage="maps")[["dataset", "model", "images", "n"]]        # doctest: +SKIP
>>> results.maps(dataset="digits", maps="ce", images="essential")          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from freqmaps.core.errors import ConfigError, StoreError
from freqmaps.results.reader import Result, Results
from freqmaps.results.scan import scan

DECIDES_NUMBERS = False

#: The config that ``--configfile`` is laid over.
BASE = "config.yaml"


def open_results(root: str | Path, study: Sequence[str | Path] | None = None) -> Results:
    """Return the finished results under a root: all, or those of the study that some config files describe.

    Raises
    ------
    StoreError
        A manifest under the root cannot be read.
    ConfigError
        The config files describe no study.
    """
    root = Path(root).expanduser()
    folders = scan(root)
    unreadable = next((folder.error for folder in folders if folder.error), None)
    if unreadable:
        raise StoreError(unreadable)
    paths = None if study is None else _paths(study)
    return Results(
        [
            Result(folder.manifest["stage"], dict(folder.manifest["spec"]["names"]), folder.folder, folder.manifest)
            for folder in folders
            if folder.manifest is not None and (paths is None or folder.path in paths)
        ],
        root,
    )


def _paths(files: Sequence[str | Path]) -> set[str]:
    """Return the places of a study's results. Files lie over ``config.yaml``, which Snakemake reads first."""
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files

    based = any(Path(file).name == BASE for file in files)
    over = [BASE] if not based and Path(BASE).is_file() else []
    try:
        return set(study(read_files([*over, *files])).graph.nodes)
    except ConfigError as error:
        if based or over:
            raise
        raise ConfigError(
            f"{files[0]}: {error}; an overlay is given after the file it was laid over: "
            f"study=['.../{BASE}', '{files[0]}']"
        ) from error
