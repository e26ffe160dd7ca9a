"""One record per stage: paths, files and requirements of its results. A new stage adds a record here.

Beside its record a stage has its package, ``freqmaps/<stage>/``, and its script, ``workflow_scripts/<stage>.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DECIDES_NUMBERS = False

#: The file that holds a stage's store, in its keyed folder.
STORE = "store.zarr.zip"
#: The file that holds labelled arrays beside a table.
ARRAYS = "arrays.zarr.zip"


@dataclass(frozen=True)
class Stage:
    """What the other packages need to know of a stage.

    Attributes
    ----------
    name
        Its name everywhere: record, package, script, part of the path.
    path
        Where its results lie under the results root, by the names of their place; ends in ``{key}``.
    files
        What lies beside the manifest: always the same files, empty where there is nothing to say, since a root on
        object storage must know them before the job has run. Items name their own.
    contract
        The constant of :mod:`freqmaps.stores.contracts` that its store keeps; None where it has no store.
    libraries
        Distributions whose version decides its numbers, besides those that its components name.
    on_device
        Whether it runs a network, and so may use a GPU.
    memory_mb, minutes
        What a job asks a cluster for at the first attempt.
    stored
        Bytes per number in its store after compression, and within which factor; for ``freqmaps plan``.
    seconds_per_number
        Where it runs no network and computes no metric; for ``freqmaps plan``.
    """

    name: str
    path: str
    files: tuple[str, ...] = ()
    contract: str | None = None
    libraries: tuple[str, ...] = ()
    on_device: bool = False
    memory_mb: int = 4000
    minutes: int = 60
    stored: tuple[float, float] = (0.0, 3.0)
    seconds_per_number: float = 1e-7


_NETWORK = "{dataset}/{model}/{training}/seed{seed}"

#: All stages, in the order in which data go through them. The last three are published: laid at plain names.
STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "datasets", "{dataset}/datasets/{key}", (STORE,), "DATASET", ("numpy", "pillow"),
            stored=(0.96, 1.5), seconds_per_number=5e-8,
        ),
        Stage(
            "training", f"{_NETWORK}/training/{{key}}", ("model.safetensors", "model.json", "history.csv"), None,
            ("torch",), on_device=True, memory_mb=8000, minutes=240,
        ),
        Stage(
            "snapshots", f"{_NETWORK}/step{{step}}/snapshots/{{key}}", ("model.safetensors", "model.json"), None,
            ("torch",), on_device=True, memory_mb=8000, minutes=240,
        ),
        Stage(
            "attacks", f"{_NETWORK}/attacks/{{attack}}/{{range}}/{{key}}", (STORE,), "ADVERSARIAL", ("torch",),
            on_device=True, memory_mb=8000, minutes=120, stored=(3.2, 1.5),
        ),
        Stage(
            "maps", f"{_NETWORK}/maps/{{maps}}/{{images}}/{{attack}}/{{against}}/{{range}}/{{key}}",
            (STORE,), "MAPS", ("torch",), on_device=True, memory_mb=8000, minutes=240, stored=(0.3, 5.0),
        ),
        Stage(
            "group_maps", f"{_NETWORK}/group_maps/{{group_maps}}/{{images}}/{{attack}}/{{key}}",
            (STORE,), "GROUP_MAPS", ("torch",), on_device=True, memory_mb=16000, minutes=240, stored=(2.0, 3.0),
        ),
        Stage(
            "matrices", f"{_NETWORK}/matrices/{{maps}}/{{attack}}/{{pairing}}/{{key}}", (STORE,), "MATRICES",
            ("numpy",), memory_mb=8000, stored=(0.6, 6.0),
        ),
        Stage(
            "correlation", f"{_NETWORK}/correlation/{{maps}}/{{attack}}/{{pairing}}/{{metric}}/{{key}}",
            ("correlation.csv", "per_sample.csv"), None, ("numpy", "scipy"), memory_mb=8000,
        ),
        Stage(
            "evaluation", f"{_NETWORK}/evaluation/{{evaluation}}/{{key}}",
            ("evaluation.csv", "samples.csv", ARRAYS), None, ("torch",), on_device=True, memory_mb=8000, minutes=120,
        ),
        Stage("simulation", "_simulation/{simulation}/{key}", ("simulation.csv", ARRAYS), None, ("numpy",)),
        Stage("items", "_items/{item}/{key}", minutes=30),
        Stage("atlas", "_atlas/{page}/{key}", ("atlas.html",), on_device=True, memory_mb=6000),
        Stage("report", "_report/{page}/{key}", ("report.html", "report.md", "claims.csv", "summary.txt"), minutes=30),
    )
}  # fmt: skip

#: Stages whose results are laid at plain names; they show what the others hold.
PUBLISHED = ("items", "atlas", "report")
PATHS = {name: stage.path for name, stage in STAGES.items()}
#: What a place has after the network's seed where the network is one of its training's snapshots.
_SEED, _STEP = "seed{seed}/", "step{step}/"


def path_of(stage: str, names: Mapping[str, str], key: str) -> str:
    """Return the folder of a result below the results root.

    What is made from a snapshot has a name ``step`` too, and lies in a folder of that step.

    >>> names = {"dataset": "digits", "model": "cnn", "training": "standard", "seed": "0"}
    >>> path_of("training", names, "4f0c7d21ab93")
    'digits/cnn/standard/seed0/training/4f0c7d21ab93'
    >>> path_of("snapshots", names | {"step": "100"}, "4f0c7d21ab93")
    'digits/cnn/standard/seed0/step100/snapshots/4f0c7d21ab93'
    """
    return template(stage, stepped="step" in names).format(**names, key=key)


def template(stage: str, *, stepped: bool) -> str:
    """Return the form of a stage's paths, with or without the step of a snapshot."""
    return PATHS[stage].replace(_SEED, _SEED + _STEP) if stepped and _STEP not in PATHS[stage] else PATHS[stage]
