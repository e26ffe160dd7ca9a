"""Pages of the atlas for its tests, and their data read back by code of its own."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch

from freqmaps.atlas import (
    Choice,
    ImageSet,
    Templates,
    attacked_set,
    build_atlas,
    choose,
    clean_set,
    predictions_of,
    set_columns,
)
from freqmaps.results.reader import Inputs
from freqmaps.spectra.planes import to_full
from tests import synthetic_study

TEMPLATES = Templates.read(Path(__file__).parent.parent / "report")
NAMES = {"dataset": "toy", "model": "net", "training": "plain", "seed": "0", "maps": "small"}
CLASSES = ["zero", "one", "</script><b>two", "three & more"]


def network(channels: int, height: int, width: int, classes: int = 4) -> torch.nn.Module:
    """A linear classifier with fixed weights."""
    linear = torch.nn.Linear(channels * height * width, classes)
    with torch.no_grad():
        linear.weight.copy_(torch.linspace(-3, 3, linear.weight.numel()).sin().reshape(linear.weight.shape))
        linear.bias.zero_()
    return torch.nn.Sequential(torch.nn.Flatten(), linear).eval()


def from_stores(folder: Path, *, samples: int = 1000, **study) -> tuple[str, Inputs]:
    """Make the page of a synthetic study, as the job does, and return it with the study's results."""
    made = synthetic_study.make(folder, **study)
    inputs = Inputs([r for r in made if r.stage != "correlation" or r.names["metric"] == "cosine"])
    attacks = list(synthetic_study.ATTACKS)
    choice = choose(inputs, len(attacks), samples=samples, megabytes=50)
    clean, classes = clean_set(inputs, choice.ids)
    net = network(*clean.image.shape[1:])
    rows = {}
    for attack in attacks:
        images = attacked_set(inputs, attack, choice.ids)
        rows[attack] = set_columns(images, predictions_of(net, images), clean.image)
    page = build_atlas(
        set_columns(clean, predictions_of(net, clean)), rows,
        classes=classes, shape=clean.image.shape[1:], choice=choice, names=NAMES, study="toy", origin={},
        templates=TEMPLATES,
    )  # fmt: skip
    return page, inputs


def from_arrays(
    clean: ImageSet, attacked: dict[str, ImageSet], *, ids: list[str] | None = None, study: str = "arrays"
) -> str:
    """Make a page of sets of images."""
    net = network(*clean.image.shape[1:])
    ids = ids if ids is not None else [f"s{i}" for i in range(len(clean.image))]
    rows = {name: set_columns(images, predictions_of(net, images), clean.image) for name, images in attacked.items()}
    return build_atlas(
        set_columns(clean, predictions_of(net, clean)), rows,
        classes=CLASSES, shape=clean.image.shape[1:], choice=Choice(ids, len(ids)), names=NAMES, study=study,
        origin={"freqmaps": "1", "commit": "abc"}, templates=TEMPLATES,
    )  # fmt: skip


def sets(n: int, channels: int, height: int, width: int) -> tuple[ImageSet, ImageSet]:
    """Clean images, and attacked ones of all but the first sample; the second sample's attack failed."""
    rng = np.random.default_rng(channels * 1000 + height)
    shape = (n, channels, height, width)
    image = rng.random(shape, dtype=np.float32)
    noisy = np.clip(image + rng.normal(0, 0.05, shape), 0, 1).astype(np.float32)
    label = (np.arange(n) % 4).astype(np.int16)
    clean = ImageSet("essential", np.arange(n), image, _maps(rng, shape), np.ones(n, bool),
                     {"label": label, **_numbers(rng, np.ones(n, bool))})  # fmt: skip
    has_map = np.arange(1, n) > 1
    attacked_maps = _maps(rng, (n - 1, *shape[1:])) * has_map[:, None, None, None]
    columns = {"fooled": np.where(has_map, (label[1:] + 1) % 4, label[1:]).astype(np.int16), "success": has_map}
    change = (noisy - image)[1:].reshape(n - 1, -1)
    columns |= {"linf": np.abs(change).max(1), "l2": np.linalg.norm(change, axis=1)}
    columns["cosine"] = np.where(has_map, np.linspace(0, 1, n - 1), np.nan)
    return clean, ImageSet("noise", np.arange(1, n), noisy[1:], attacked_maps.astype(np.float32), has_map,
                           columns | _numbers(rng, has_map))  # fmt: skip


def none_of(images: ImageSet) -> ImageSet:
    """Return a set without any of its images."""
    arrays = {name: getattr(images, name)[:0] for name in ("sample", "image", "map", "has_map")}
    return ImageSet(images.of, **arrays, columns={name: values[:0] for name, values in images.columns.items()})


def _maps(rng, shape):
    half = (*shape[:3], shape[3] // 2 + 1)
    sparse = rng.random(half) * (rng.random(half) < 0.3)
    # Columns that are their own mirror image hold both of a pair: made equal, as in the maps of real images.
    for column in {0, *([shape[3] // 2] if shape[3] % 2 == 0 else [])}:
        sparse[..., column] = np.maximum(sparse[..., column], sparse[..., -np.arange(shape[2]) % shape[2], column])
    return to_full(sparse.astype(np.float32), shape[3])


def _numbers(rng, has_map):
    n = len(has_map)
    numbers = {"steps": np.where(has_map, rng.integers(500, 5000, n), -1).astype(np.int32)}
    numbers |= {name: np.where(has_map, rng.random(n), np.nan) for name in ("loss", "sparsity")}
    return numbers | {name: has_map & (rng.random(n) < 0.5) for name in ("converged", "keeps_prediction")}


def written(folder: Path, page: str) -> Path:
    """Write a page to a folder."""
    path = folder / "atlas.html"
    path.write_text(page, encoding="utf-8")
    return path


def unpacked(page: str) -> dict[str, np.ndarray]:
    """Read a page's arrays back."""
    meta = json.loads(re.search(r'id="meta">(.*?)</script>', page, re.DOTALL)[1])
    texts = re.findall(r'id="part-\d+">(.*?)</script>', page, re.DOTALL)
    assert len(texts) == len(meta["parts"])
    return {part["name"]: _array(text, part) for part, text in zip(meta["parts"], texts, strict=True)}


def _array(text, part):
    dtype = np.dtype("<" + part["type"])
    raw = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    array = np.frombuffer(raw.reshape(dtype.itemsize, -1).T.tobytes(), dtype).reshape(part["shape"])
    return _undone(array) if part["predicted"] else array


def _undone(differences):
    values = differences.astype(np.int64)
    values[..., 0] = np.cumsum(values[..., 0], axis=-1)
    values = np.cumsum(values, axis=-1)
    if values.shape[1] == 3:
        values[:, 0] += values[:, 1]
        values[:, 2] += values[:, 1]
    return (values % 256).astype(np.uint8)
