"""A results root from a notebook: list what is there, open it as xarray.

>>> import freqmaps
>>> results = freqmaps.open("results")                                     # doctest: +SKIP
>>> results.list(stage="maps")[["dataset", "model", "images", "n"]]        # doctest: +SKIP
>>> results.maps(dataset="digits", maps="ce", images="essential")          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from freqmaps.core.errors import ConfigError, StoreError
from freqmaps.results.scan import scan

if TYPE_CHECKING:
    from freqmaps.results.reader import Results

DECIDES_NUMBERS = False


def open_results(root: str | Path, study: Sequence[str | Path] | None = None) -> Results:
    """Return the finished results under a root: all, or those of the study that some config files describe.

    Raises
    ------
    StoreError
        A manifest under the root cannot be read.
    ConfigError
        The config files describe no study.
    """
    from freqmaps.results.reader import Result, Results

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
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files

    try:
        return set(study(read_files(files)).graph.nodes)
    except ConfigError as error:
        if len(files) > 1:
            raise
        raise ConfigError(
            f"{files[0]}: {error}; an overlay is given after the file it was laid over: "
            f"study=['config.yaml', '{files[0]}']"
        ) from error
