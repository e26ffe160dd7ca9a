"""A small finished study, every result made by its workflow script: what evaluations and their items are tested on.

Two networks of the digits: ``plain``, attacked, and ``robust``, trained on attacked images and shown the same ones.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import xarray as xr

from freqmaps.core import components
from freqmaps.core.images import images_of
from freqmaps.job import Job
from freqmaps.provenance import manifest
from freqmaps.publish import Inputs
from freqmaps.stores import DATASET, write
from tests.short_training import digits
from tests.workflow import REPOSITORY

N = 60
#: Items that are tested on these results.
ITEMS = ("K22-F5", "K22-F6", "K22-F7", "K22-F8", "K22-T2", "K22-T3")
SAMPLES = {"split": "test", "start": 0, "stop": N}
RANGE = f"test-0-{N}"
PLAIN, ROBUST = (
    {"dataset": "toy", "model": "net", "training": training, "seed": "0"} for training in ("plain", "robust")
)
TRAINED = {"plain": ("standard", {}), "robust": ("adversarial", {"epsilon": 0.1, "step": 0.05, "steps": 2})}
INVARIANCE = {"kind": "invariance", "parameters": {"penalty": 0.07}}


def make(root: Path, *, channels: int = 1) -> SimpleNamespace:
    """Make all results below a folder; return them as ``inputs``, and ``folders`` by stage and names."""
    study = SimpleNamespace(root=root, folders={}, calls={}, channels=channels)
    _dataset(study)
    for place in (PLAIN, ROBUST):
        settings = filled("freqmaps.training.settings", "TrainingSettings", epochs=12, batch=32, learning_rate=0.05)
        model = {"architecture": "small_cnn", "parameters": {"width": 8}, "normalise": "none"}
        kind, given = TRAINED[place["training"]]
        regime = {"kind": kind, "parameters": components.resolve("regime", kind, given, where="test")}
        parameters = {"model": model, "regime": regime, "settings": settings}
        stage(study, "training", place, parameters, {"dataset": "datasets/toy"}, located={})
    attack = {"kind": "fgsm", "parameters": components.resolve("attack", "fgsm", {"epsilon": 0.2}, where="test")}
    stage(
        study,
        "attacks",
        PLAIN | {"attack": "fgsm", "range": RANGE},
        {"attack": attack, "samples": SAMPLES},
        network(PLAIN),
    )
    _maps(study, PLAIN, images_of("essential"))
    _maps(study, ROBUST, images_of("essential"))
    _maps(study, ROBUST, images_of("transferred", "fgsm", "plain"))
    for place in (PLAIN, ROBUST):
        _group_maps(study, place)
    study.inputs = Inputs.from_folders(list(study.folders.values()))
    return study


def stage(study: SimpleNamespace, name: str, names: dict, parameters: dict, inputs: dict, **options: object) -> Path:
    """Run a stage's script in this process, as the workflow would; inputs are keys of ``study.folders`` by role."""
    key = "/".join([name, *names.values()])
    folder = study.root / key
    folder.mkdir(parents=True)
    roles = {
        role: [study.folders[k] for k in keys] if isinstance(keys, list) else study.folders[keys]
        for role, keys in inputs.items()
    }
    spec = {"stage": name, "names": names, "parameters": parameters, "seed": 3, "inputs": {}}
    job = Job(spec, roles, folder, {"device": "cpu"} | options)
    manifest.write(folder / "manifest.json", spec, dict(script(name).run(job)), {"wall_s": 0.0, "device": "cpu"})
    study.folders[key], study.calls[key] = folder, (name, names, parameters, inputs)
    return folder


def evaluation(
    study: SimpleNamespace, place: dict, kind: str, name: str = "", device: str = "cpu", **parameters: object
) -> Path:
    """Run an evaluation's script on all that the network has; other networks' group maps too."""
    given = components.resolve("evaluation", kind, parameters, where="test", supplied=("seed",))
    needs = components.find("evaluation", kind).constants["NEEDS"]
    inputs: dict[str, object] = dict(network(place))
    for needed in needs:
        own = [k for k in study.folders if k.startswith(f"{needed}/") and _belongs(k, place, needed, parameters)]
        inputs[needed] = sorted(own)
    names = place | {"evaluation": name or kind}
    about = {"evaluation": {"kind": kind, "parameters": given}, "samples": SAMPLES}
    return stage(study, "evaluation", names, about, inputs, device=device)


def network(place: dict) -> dict[str, str]:
    """Return the inputs of every stage that runs a network."""
    return {"dataset": "datasets/toy", "checkpoint": "/".join(["training", *place.values()])}


def filled(module: str, name: str, **changes: object) -> dict:
    """Return settings with their defaults."""
    return components.fill(components.settings(module, name), changes, where="test")


def script(name: str) -> ModuleType:
    """Import a workflow script."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", REPOSITORY / "workflow_scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _belongs(key: str, place: dict, stage_name: str, parameters: dict) -> bool:
    training = key.split("/")[3]
    if stage_name == "attacks":  # the only attack was made against the plain network
        return True
    return training == place["training"] or training in parameters.get("masks_of", ())


def _dataset(study: SimpleNamespace) -> None:
    train, train_labels, test, test_labels = digits(n=180)
    images = np.concatenate([train, test[:N]])
    if study.channels > 1:  # the same picture, fainter from channel to channel
        images = np.concatenate([images * (1 - 0.2 * c) for c in range(study.channels)], axis=1).astype(np.float32)
    labels = np.concatenate([train_labels, test_labels[:N]]).astype(np.int64)
    ids = [f"s{i:03d}" for i in range(len(labels))]
    attributes = {"classes": [f"digit ${i}$" for i in range(10)], "source": "digits", "licence": "BSD"}
    attributes |= {"mean": [0.3] * study.channels, "std": [0.3] * study.channels}
    columns = {"image": (("sample", "channel", "y", "x"), images), "label": ("sample", labels)}
    dataset = xr.Dataset(columns, {"sample": ids}, attributes)
    dataset["split"] = ("sample", ["train"] * len(train) + ["test"] * N)
    folder = study.root / "datasets" / "toy"
    folder.mkdir(parents=True)
    write(folder / "store.zarr.zip", dataset, DATASET)
    spec = {"stage": "datasets", "names": {"dataset": "toy"}, "parameters": {"kind": "digits", "parameters": {}}}
    manifest.write(folder / "manifest.json", spec, {}, {})
    study.folders["datasets/toy"] = folder


def _maps(study: SimpleNamespace, place: dict, images: dict) -> None:
    settings = filled(
        "freqmaps.maps.settings", "MapSettings", learning_rate=0.2, schedule="one_cycle", min_steps=40, max_steps=60
    )
    inputs = dict(network(place))
    if images["images"] != "essential":
        inputs["adversarial"] = "/".join(["attacks", *PLAIN.values(), "fgsm", RANGE])
    parameters = {"objective": INVARIANCE, "settings": settings, "images": images["images"], "samples": SAMPLES}
    parameters["basis"] = {"kind": "fourier", "parameters": {}}
    stage(study, "maps", place | {"maps": "tiny"} | images | {"range": RANGE}, parameters, inputs)


def _group_maps(study: SimpleNamespace, place: dict) -> None:
    settings = filled(
        "freqmaps.group_maps.settings", "GroupMapSettings", groups="class", epochs=2, learning_rate=0.1, batch=8
    )
    parameters = {"objective": INVARIANCE, "settings": settings, "images": "essential", "samples": SAMPLES}
    stage(
        study,
        "group_maps",
        place | {"group_maps": "tiny", "images": "essential", "attack": "none"},
        parameters,
        network(place),
    )
