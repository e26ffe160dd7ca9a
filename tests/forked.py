"""Processes forked from one that has imported what takes seconds: a process of the tests has one such server."""

from __future__ import annotations

import multiprocessing
from functools import cache

#: Imported before a process is forked: all that jobs, and the questions of a study, import.
PRELOADED = [
    "tests.faults", "torch", "torchvision", "safetensors.torch", "xarray", "zarr", "pandas", "scipy.linalg",
    "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "PIL.Image", "jinja2",
    "psutil", "tqdm", "freqmaps.models", "freqmaps.training", "freqmaps.stores.zarrfile", "freqmaps.stores.selection",
    "freqmaps.maps._engine", "freqmaps.attacks", "freqmaps.group_maps", "freqmaps.evaluation", "freqmaps.matrices",
    "freqmaps.publish", "freqmaps.publish.report", "freqmaps.models._verify", "freqmaps.maps._verify",
]  # fmt: skip


@cache
def context() -> multiprocessing.context.ForkServerContext:
    """Return the context whose processes are forked so; the first process waits for the imports."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found
