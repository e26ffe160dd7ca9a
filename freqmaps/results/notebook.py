"""A results root from a notebook: list what is there, open it as xarray.

>>> import freqmaps
>>> results = freqmaps.open("results")                                     # doctest: +SKIP
>>> results.list(stage="maps")[["dataset", "model", "of", "n"]]            # doctest: +SKIP
>>> results.maps(dataset="digits", of="essential")                         # doctest: +SKIP
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.provenance import manifest
from freqmaps.results.rows import COLUMNS, rows
from freqmaps.results.scan import scan

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

DECIDES_NUMBERS = False


class Results:
    """The finished results under a root: all, or those of the study that some config files describe."""

    def __init__(self, root: str | Path, study: Sequence[str] | None = None) -> None:
        self.root = Path(root).expanduser()
        self._all = _manifests(self.root)
        if study is not None:
            kept = _folders(self.root, study)
            self._all = [found for found in self._all if found["folder"] in kept]

    def __repr__(self) -> str:
        return f"Results({str(self.root)!r}: {len(self._all)} finished results)"

    def list(self, stage: str | None = None, **names: str) -> pd.DataFrame:
        """Return a table of results: stage, names, headline figures, date, key and folder.

        Parameters
        ----------
        stage
            Only this stage (``datasets``, ``training``, ``attacks``, ``maps``, ``matrices``, ``correlation``).
        **names
            Only results of this ``dataset``, ``model``, ``training``, ``seed``, ``attack``, ``maps``, ``of``, ...
        """
        import pandas as pd

        rows = []
        for found in self._select(stage, names):
            row = {"stage": found["stage"], **found["spec"]["names"], **found["headline"]}
            row |= {"date": found["provenance"]["date"], "key": found["key"], "folder": str(found["folder"])}
            rows.append(row)
        return pd.DataFrame(rows)

    def catalog(self) -> pd.DataFrame:
        """Return the catalog of everything under the root, unfinished results too: see :mod:`freqmaps.results.rows`."""
        import pandas as pd

        return pd.DataFrame(rows(scan(self.root)), columns=list(COLUMNS))

    def open(self, stage: str, **names: str) -> xr.Dataset:
        """Open the stores of a stage that fit the names, joined along ``sample`` over their ranges.

        Raises
        ------
        FreqmapsError
            Nothing fits, or more than one result does (two keys, two attacks): the message says what tells them apart.
        """
        import xarray as xr

        from freqmaps import stores
        from freqmaps.stores.by_stage import STORE, contract_of

        contract = contract_of(stage)
        parts = [stores.open_store(f["folder"] / STORE, contract) for f in self._one(stage, names)]
        if len(parts) == 1:
            return parts[0]
        return xr.concat(parts, dim="sample", data_vars="minimal", coords="minimal", compat="override", join="override")

    def maps(self, **names: str) -> xr.Dataset:
        """Open map stores: ``open("maps", ...)``."""
        return self.open("maps", **names)

    def adversarial(self, **names: str) -> xr.Dataset:
        """Open adversarial stores: ``open("attacks", ...)``."""
        return self.open("attacks", **names)

    def dataset(self, name: str, **names: str) -> xr.Dataset:
        """Open a dataset store."""
        return self.open("datasets", dataset=name, **names)

    def correlations(self, **names: str) -> pd.DataFrame:
        """Return all correlation results as one long table."""
        import pandas as pd

        found = self._select("correlation", names)
        if not found:
            raise FreqmapsError(f"{self.root}: no correlation results for {names}")
        frames = [pd.read_csv(f["folder"] / "correlation.csv").assign(key=f["key"]) for f in found]
        return pd.concat(frames, ignore_index=True)

    def problems(self) -> Sequence[str]:
        """Compare every file with its recorded size and SHA-256; one sentence for each that differs."""
        return [p for f in self._all for p in manifest.problems(f["folder"], f)]

    def _select(self, stage: str | None, names: dict[str, str]) -> Sequence[dict[str, Any]]:
        return [
            found
            for found in self._all
            if stage in (None, found["stage"])
            and all(str(v) in (found["spec"]["names"].get(k), found.get(k)) for k, v in names.items())
        ]

    def _one(self, stage: str, names: dict[str, str]) -> Sequence[dict[str, Any]]:
        found = self._select(stage, names)
        if not found:
            raise StoreError(f"{self.root}: no finished {stage} result for {names}; see .list('{stage}')")
        groups = collections.defaultdict[str, Any](lambda: [])
        for one in found:
            place = {k: v for k, v in one["spec"]["names"].items() if k != "range"}
            made = {k: v for k, v in one["spec"].items() if k not in ("names", "inputs")}
            made["parameters"] = {k: v for k, v in made["parameters"].items() if k != "samples"}
            groups[f"{place} {made}"].append(one)
        if len(groups) > 1:
            keys = ", ".join(f"{g[0]['key']} ({'/'.join(g[0]['spec']['names'].values())})" for g in groups.values())
            raise FreqmapsError(
                f"{len(groups)} results fit {names}: {keys}; name more, or key=..., or freqmaps.open(root, study=...)"
            )
        return sorted(found, key=lambda f: _start(f["spec"]["names"].get("range", "")))


def _manifests(root: Path) -> list[dict[str, Any]]:
    """Return every finished result's manifest under a root, with its folder under ``folder``, in order of path."""
    found = scan(root)
    unreadable = next((f.error for f in found if f.error), None)
    if unreadable:
        raise StoreError(unreadable)
    return [f.manifest | {"folder": f.folder} for f in found if f.manifest is not None]


def _folders(root: Path, files: Sequence[str]) -> set[Path]:
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files

    return {root / path for path in study(read_files(files)).graph.nodes}


def _start(name: str) -> int:
    parts = name.split("-")
    return int(parts[1]) if len(parts) == 3 else 0
