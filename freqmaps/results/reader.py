"""Finished results, selected by the names that the config gives them, for items, evaluations and notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.core.images import ESSENTIAL
from freqmaps.provenance import manifest as manifests
from freqmaps.results._files import CORRELATION_NAMES, _csv, _firsts, _part, _plain
from freqmaps.results.result import Result as Result
from freqmaps.results.settings import ranged_start, refuse_mixed, split_of
from freqmaps.stages import STAGES
from freqmaps.stores import ADVERSARIAL, ARRAYS, DATASET, GROUP_MAPS, MAPS, MATRICES, Contract, read

STORE = "store.zarr.zip"

#: ``step=EVERY_STEP`` selects what was made of all snapshots; without a step, only what was made of finished networks.
EVERY_STEP = object()

#: A method of the class below is called ``list``.
ResultList = list[Result]


class Results:
    """Finished results under a root, of a study, or of some folders, selected by name.

    Results are selected by the names of their place (``dataset``, ``model``, ``training``, ``seed``, ``attack``,
    ``maps``, ...), by ``range`` (``"test-0-1024"``), ``split`` (``"test"``) and ``key``. The readers of stores take
    names that fix one setting, join its ranges along ``sample``, count a sample that two ranges share once, and read

    * ``samples``: the ids to read, which is also the order of the result; None reads all;
    * ``variables``: the variables to read; None reads all. Naming the small ones spares reading images.

    What was made of a training's snapshots is left out unless a ``step`` is given: one, or :data:`EVERY_STEP`.

    They raise a FreqmapsError where there is no such result or no such sample, or where the names fit results that
    differ in more than their range of samples (the message says in what); a StoreError for a corrupt store.
    """

    def __init__(
        self,
        results: Sequence[Result],
        root: Path | None = None,
        within: Sequence[str] | None = None,
        step: str | None = None,
    ) -> None:
        self.results, self.root = list(results), root
        self.within = None if within is None else frozenset(within)
        self._step = step

    @classmethod
    def from_folders(
        cls, folders: Sequence[Path], within: Sequence[str] | None = None, step: str | None = None
    ) -> Results:
        """Read the manifests of results that lie in these folders.

        Of attacks and maps, only samples ``within`` these ids are there; None leaves all. With a ``step``, results of
        this snapshot are what names without a step mean.

        Raises
        ------
        StoreError
            A folder holds no whole manifest.
        """
        contents = [(Path(folder), manifests.read(Path(folder))) for folder in folders]
        results = [Result(m["stage"], dict(m["spec"]["names"]), folder, m) for folder, m in contents]
        return cls(results, within=within, step=step)

    def __repr__(self) -> str:
        return f"Results({str(self.root) if self.root else 'chosen folders'}: {len(self.results)} finished results)"

    def list(self, stage: str | None = None, **names: Any) -> pd.DataFrame:
        """Return a table of results: stage, names, headline figures, date, key and folder.

        What was made of a training's snapshots is left out unless ``step`` is given, as by :meth:`select`.

        Parameters
        ----------
        stage
            Only this stage (``datasets``, ``training``, ``attacks``, ``maps``, ``matrices``, ``correlation``, ...).
        **names
            Only results of this ``dataset``, ``model``, ``training``, ``seed``, ``attack``, ``maps``, ``split``, ...

        Raises
        ------
        FreqmapsError
            There is no such stage.
        """
        if stage is not None and stage not in STAGES:
            raise FreqmapsError(f"no stage '{stage}'; {nearest(stage, STAGES)}")
        return pd.DataFrame(
            {"stage": r.stage, **r.names, **r.manifest.get("headline", {})}
            | {"date": r.manifest.get("provenance", {}).get("date"), "key": r.folder.name, "folder": str(r.folder)}
            for r in self.results
            if stage in (None, r.stage) and self._fits(r, names)
        )

    def catalog(self) -> pd.DataFrame:
        """Return the catalog of everything under the root, unfinished results too: see :mod:`freqmaps.results.rows`.

        Raises
        ------
        FreqmapsError
            These results were not opened by their root.
        """
        from freqmaps.results.rows import COLUMNS, rows
        from freqmaps.results.scan import scan

        if self.root is None:
            raise FreqmapsError("these are chosen folders; open a results root with freqmaps.open to list all of it")
        return pd.DataFrame(rows(scan(self.root)), columns=list(COLUMNS))

    def problems(self) -> Sequence[str]:
        """Compare every file with its recorded size and SHA-256; one sentence for each that differs."""
        return [problem for r in self.results for problem in manifests.problems(r.folder, r.manifest)]

    def provenance(self) -> dict[str, Any]:
        """Return where an item's numbers come from: each result's spec, code, device and seconds, and the libraries."""
        results: list[dict[str, Any]] = []
        libraries: dict[str, str] = {}
        for result in self.results:
            spec, origin = result.manifest.get("spec", {}), result.manifest.get("provenance", {})
            libraries |= origin.get("libraries", {})
            results.append(
                {"stage": result.stage, "key": result.folder.name, "names": dict(result.names)}
                | {"parameters": spec.get("parameters", {}), "seed": spec.get("seed")}
                | {k: origin.get(k) for k in ("freqmaps", "commit", "dirty", "device", "wall_s", "date")}
            )
        return {"results": results, "libraries": libraries}

    def select(self, stage: str, **names: Any) -> ResultList:
        """Return a stage's results that carry all the given names, in the study's order, steps and ranges ascending.

        What was made of a training's snapshots is left out unless ``step`` is given (one, or :data:`EVERY_STEP`).
        """
        return sorted((r for r in self.results if r.stage == stage and self._fits(r, names)), key=_start)

    def _fits(self, result: Result, names: Mapping[str, Any]) -> bool:
        """Whether a result carries the names; one of a snapshot only if they name its step, or every step."""
        own, step = result.names.get("step"), names.get("step")
        if step is EVERY_STEP:
            right = own is not None
        else:
            right = own in (None, self._step) if step is None else own == str(step)
        return right and _carries(result, {key: name for key, name in names.items() if key != "step"})

    def related(self, stage: str, names: Mapping[str, str]) -> ResultList:
        """Return a stage's results that contradict none of the names: the attack behind a correlation, say.

        What is made of clean images contradicts no attack.
        """
        matching = [
            r
            for r in self.results
            if r.stage == stage
            and ("step" in names or r.names.get("step") in (None, self._step))
            and all(
                names[key] == name or (key == "attack" and r.names.get("images") == ESSENTIAL)
                for key, name in r.names.items()
                if key in names
            )
        ]
        return sorted(matching, key=_start)

    def correlations(self, **names: Any) -> pd.DataFrame:
        """Return the rows of all correlation results that carry the given names, one per metric.

        Returns
        -------
        pandas.DataFrame
            Columns ``dataset, model, training, seed, attack, maps`` and ``metric`` (the config's names), ``kind`` (of
            the metric), ``value, std, p_value, n, n_dropped, error, error_method, extra``; ``extra`` is JSON text. Rows
            that differ in ``key`` alone were made by different settings of the same names. Where a ``step`` is asked
            for, a column tells it.
        """
        frames = []
        for result in self.select("correlation", **names):
            frame = _csv(result.folder / "correlation.csv").assign(key=result.folder.name)
            frame["kind"] = (result.component("metric") or (frame["metric"].iloc[0], {}))[0]
            # The file names the metric by its kind; a config may hold two metrics of one kind under its own names.
            for key in (*CORRELATION_NAMES, "step"):
                if key in result.names:
                    frame[key] = result.names[key]
            frames.append(frame)
        if not frames:
            raise FreqmapsError(
                f"there are no correlation results for {_shown(names)}; add an attack, a map setting and a metric"
            )
        return pd.concat(frames, ignore_index=True)

    def maps(
        self,
        *,
        samples: Sequence[str] | None = None,
        variables: Sequence[str] | None = None,
        basis: str | None = "fourier",
        **names: Any,
    ) -> xr.Dataset:
        """Read maps, all ranges joined along ``sample``.

        Raises
        ------
        FreqmapsError
            The maps themselves are asked for, and are of another basis than ``basis``; None takes any.
        """
        return _of_basis(self._stores("maps", MAPS, samples, variables, names), basis, names)

    def group_maps(self, *, basis: str | None = "fourier", **names: Any) -> xr.Dataset:
        """Read the group maps of one setting and network.

        Raises
        ------
        FreqmapsError
            They are of another basis than ``basis``; None takes any.
        """
        return _of_basis(_plain(read(self._only_result("group_maps", names).folder / STORE, GROUP_MAPS)), basis, names)

    def matrices(self, **names: Any) -> xr.Dataset:
        """Read the matrices ``first`` and ``second`` of one pairing of maps."""
        return _plain(read(self._only_result("matrices", names).folder / STORE, MATRICES))

    def adversarial(
        self, *, samples: Sequence[str] | None = None, variables: Sequence[str] | None = None, **names: Any
    ) -> xr.Dataset:
        """Read adversarial images, all ranges joined along ``sample``."""
        return self._stores("attacks", ADVERSARIAL, samples, variables, names)

    def dataset(
        self, name: str, samples: Sequence[str] | None = None, variables: Sequence[str] | None = None
    ) -> xr.Dataset:
        """Read a dataset store, or the given samples of it in the order given."""
        return self._stores("datasets", DATASET, samples, variables, {"dataset": name})

    def per_sample(self, metric: str = "cosine", **names: Any) -> pd.DataFrame:
        """Return a metric's value for each sample, with the names of the result that it comes from.

        Returns
        -------
        pandas.DataFrame
            Columns ``sample`` (text), ``value`` (float), and one per name.
        """
        frames = []
        results = self.select("correlation", metric=metric, **names)
        for place in dict.fromkeys(tuple(sorted(r.names.items())) for r in results):
            refuse_mixed(
                [r for r in results if tuple(sorted(r.names.items())) == place], self.results, _shown(names), parts=True
            )
        for result in results:
            path = result.folder / "per_sample.csv"
            none = path.is_file() and not path.stat().st_size and not result.manifest.get("headline", {}).get("n")
            frame = pd.DataFrame({"sample": [], "value": []}) if none else _csv(path)
            frames.append(frame.assign(**{k: v for k, v in result.names.items() if k not in ("sample", "value")}))
        if not frames:
            raise FreqmapsError(f"no per-sample values of metric '{metric}' for {_shown(names)}; add it to the config")
        together = pd.concat(frames, ignore_index=True)
        # Two runs may compare some of the same samples.
        return together.drop_duplicates([c for c in together if c != "value"], ignore_index=True)

    def evaluations(self, kind: str, file: str = "evaluation.csv", **names: Any) -> pd.DataFrame:
        """Return the rows of all evaluations of a kind that carry the given names, with the names of the network.

        An evaluation along the snapshots of a training is one result, whose rows tell their steps themselves.
        ``file`` is ``samples.csv`` for the rows about single samples, which not every kind has.
        """
        frames = []
        for result in self.select("evaluation", **names):
            if (result.component("evaluation") or ("",))[0] == kind:
                frame = _csv(result.folder / file)
                frames.append(frame.assign(**{k: v for k, v in result.names.items() if k not in frame.columns}))
        if not frames:
            raise FreqmapsError(f"there are no evaluations of kind '{kind}'; add one to the config")
        return pd.concat(frames, ignore_index=True)

    def simulations(self, kind: str) -> pd.DataFrame:
        """Return the rows of every simulation of a kind, with its name; empty if there is none."""
        frames = []
        for result in self.select("simulation"):
            if (result.component("simulation") or ("",))[0] == kind:
                frames.append(_csv(result.folder / "simulation.csv").assign(simulation=result.names["simulation"]))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def arrays(self, **names: Any) -> xr.Dataset:
        """Read the labelled arrays of one evaluation of one network, or of one ``simulation``; empty if it has none."""
        stage = "simulation" if "simulation" in names else "evaluation"
        matching = self.select(stage, **names)
        if len(matching) != 1:
            raise FreqmapsError(f"{len(matching)} {stage}s fit {_shown(names)}; give names that fit one")
        return _plain(read(matching[0].folder / "arrays.zarr.zip", ARRAYS))

    def _only_result(self, stage: str, names: Mapping[str, str]) -> Result:
        matching = self.select(stage, **names)
        if not matching:
            raise FreqmapsError(f"no {stage} result for {_shown(names)}; run the target that makes it")
        refuse_mixed(matching, self.results, _shown(names))
        return matching[0]

    def _stores(
        self,
        stage: str,
        contract: Contract,
        samples: Sequence[str] | None,
        variables: Sequence[str] | None,
        names: Mapping[str, str],
    ) -> xr.Dataset:
        known = {
            "sample",
            *contract.variables,
            *contract.optional,
            *(n for layout in contract.layouts.values() for n in layout),
        }
        unknown = next((name for name in variables or () if name not in known), None)
        if unknown is not None:
            raise FreqmapsError(f"stores of stage {stage} have no variable '{unknown}'; {nearest(unknown, known)}")
        results = self.select(stage, **names)
        if not results:
            raise FreqmapsError(f"no {stage} result for {_shown(names)}; run the target that makes it")
        refuse_mixed(results, self.results, _shown(names))
        parts = [_part(r.folder / STORE, contract, samples, variables) for r in results]
        parts = [p for p in parts if p.sizes["sample"]] or parts[:1]
        joined = parts[0]
        if len(parts) > 1:
            joined = xr.concat(
                parts, dim="sample", data_vars="minimal", coords="minimal", compat="override", join="override",
                combine_attrs="override",
            )  # fmt: skip
        # Two runs may take the same samples in ranges of their own; what was made of a sample is the same in both.
        joined = joined.isel(sample=_firsts(joined["sample"].values.tolist()))
        if self.within is not None and stage in ("attacks", "maps"):
            joined = joined.isel(sample=[i for i, s in enumerate(joined["sample"].values) if s in self.within])
        joined = _plain(joined)
        if samples is None:
            return joined
        missing = sorted(set(samples) - set(joined["sample"].values.tolist()))
        if missing:
            raise FreqmapsError(f"stage {stage}, {_shown(names)}: no sample '{missing[0]}' ({len(missing)} missing)")
        return joined.sel(sample=list(samples))


def _start(result: Result) -> tuple[int, int]:
    return int(result.names.get("step", -1)), ranged_start(result.names)


def _carries(result: Result, names: Mapping[str, Any]) -> bool:
    also = {"key": result.folder.name, "split": split_of(result)}
    return all(result.names.get(key, also.get(key)) == str(name) for key, name in names.items())


def _of_basis(store: xr.Dataset, basis: str | None, names: Mapping[str, Any]) -> xr.Dataset:
    """Return a store of maps, after checking that the maps, if they are in it, have the basis asked for."""
    has = store.attrs.get("basis", "fourier")
    if "map" in store and basis not in (None, has):
        raise FreqmapsError(
            f"these maps ({_shown(names)}) have basis '{has}', and what is asked for needs '{basis}'; "
            f"name a map setting with basis {basis}"
        )
    return store


def _shown(names: Mapping[str, Any]) -> str:
    shown = {key: "any" if name is EVERY_STEP else name for key, name in names.items()}
    return ", ".join(f"{key} '{name}'" for key, name in shown.items()) or "any name"


#: What authors of items and evaluations call the results that they are given.
Inputs = Results
