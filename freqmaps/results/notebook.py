"""A results root from a notebook: list what is there, open it as xarray.

>>> import freqmaps
>>> results = freqmaps.open("results")                                     # doctest: +SKIP
>>> results.list(stage="maps")[["dataset", "model", "images", "n"]]        # doctest: +SKIP
>>> results.maps(dataset="digits", maps="ce", images="essential")          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from freqmaps import stages
from freqmaps.core.errors import ConfigError, FreqmapsError, StoreError, nearest
from freqmaps.results.reader import Result, Results
from freqmaps.results.scan import scan
from freqmaps.stores import Contract

DECIDES_NUMBERS = False

#: The config that ``--configfile`` is laid over.
BASE = "config.yaml"


class OpenedResults(Results):
    """Results as a person asks for them: a stage or a variable that does not exist is answered with the nearest."""

    def list(self, stage: str | None = None, **names: Any) -> pd.DataFrame:
        """Return a table of results, as :meth:`Results.list`.

        Raises
        ------
        FreqmapsError
            There is no such stage.
        """
        if stage is not None and stage not in stages.STAGES:
            raise FreqmapsError(f"no stage '{stage}'; {nearest(stage, stages.STAGES)}")
        return super().list(stage, **names)

    def _stores(
        self,
        stage: str,
        contract: Contract,
        samples: Sequence[str] | None,
        variables: Sequence[str] | None,
        names: Mapping[str, str],
    ) -> xr.Dataset:
        layouts = [name for layout in contract.layouts.values() for name in layout]
        known = {"sample", *contract.variables, *contract.optional, *layouts}
        unknown = next((name for name in variables or () if name not in known), None)
        if unknown is not None:
            raise FreqmapsError(f"stores of stage {stage} have no variable '{unknown}'; {nearest(unknown, known)}")
        return super()._stores(stage, contract, samples, variables, names)


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
    return OpenedResults(
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
