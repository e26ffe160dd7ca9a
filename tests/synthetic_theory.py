"""A finished simulation of two-layer networks, written to a folder as its workflow script writes it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from freqmaps.core import components
from freqmaps.core.files import write_text
from freqmaps.provenance.manifest import csv_text
from freqmaps.publish import Result
from freqmaps.simulation import two_layer_theorems
from freqmaps.stores import ARRAYS, write

ITEMS = ("F21-TH", "F21-THF")
KIND = "two_layer_theorems"


def make(root: Path, name: str = "theory", rows: pd.DataFrame | None = None, **given) -> Result:
    """Run the simulation with few draws, or write the given rows in the place of its own."""
    tiny = {**components.find("simulation", KIND).constants["TINY"], "draws": 12, "widths": [16], **given}
    parameters = components.resolve("simulation", KIND, tiny, where="test", supplied=("seed",))
    found = two_layer_theorems.compute(seed=2, **parameters)
    folder, names = root / name, {"simulation": name}
    folder.mkdir(parents=True)
    write_text(folder / "simulation.csv", csv_text(found.rows if rows is None else rows.to_dict("records")))
    write(folder / "arrays.zarr.zip", found.arrays, ARRAYS)
    spec = {
        "stage": "simulation",
        "names": names,
        "parameters": {"simulation": {"kind": KIND, "parameters": parameters}},
    }
    manifest = {"stage": "simulation", "key": name, "headline": {}, "provenance": {"libraries": {}}, "spec": spec}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result("simulation", names, folder, manifest)
