"""Write the atlas: fill the page template with the packed images, spectra, maps and predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import hypot
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from freqmaps.atlas._choose import Choice
from freqmaps.atlas._pack import Part, pack
from freqmaps.atlas._planes import factor, planes, scale
from freqmaps.atlas._read import ImageSet
from freqmaps.atlas._templates import Templates
from freqmaps.spectra.bands import BANDS, band_energy, rings, sectors, shares

if TYPE_CHECKING:
    from freqmaps.atlas._predictions import Predictions

#: A share of 1 on the scale of the page's integers.
ONE = 65535

#: The pictures among the page's arrays.
_PICTURES = ("image", "filtered")
_BLOCK = 64

Columns = dict[str, NDArray[Any]]


def set_columns(images: ImageSet, predictions: Predictions, clean: NDArray[np.float32] | None = None) -> Columns:
    """Return all arrays that the page holds for a set of images, one row per image.

    Parameters
    ----------
    images, predictions
        The set and the network's predictions.
    clean
        For attacked images, the chosen samples' clean ones, (n, c, h, w).
    """
    own = None if clean is None else clean[images.sample]
    columns = {"sample": images.sample.astype(np.int32), "has_map": images.has_map}
    columns |= {name: np.asarray(values) for name, values in images.columns.items()}
    columns |= {name: np.asarray(values) for name, values in vars(predictions).items()}
    return columns | band_columns(images.map) | planes(images.image, images.map, own)


def build_atlas(
    clean: Columns,
    attacked: Mapping[str, Columns],
    *,
    classes: Sequence[str],
    shape: tuple[int, ...],
    choice: Choice,
    names: Mapping[str, str],
    study: str,
    origin: Mapping[str, Any],
    templates: Templates,
) -> str:
    """Return the atlas: one HTML page with styles, script and data inside.

    Parameters
    ----------
    clean
        :func:`set_columns` of the chosen samples.
    attacked
        The same of what each attack made of them, by the attack's name.
    classes
        Names of the classes, in label order.
    shape
        (c, h, w) of the images in the stores.
    choice
        The samples, and how they were chosen.
    names
        Dataset, model, training, seed and map setting.
    study
        Name of the study.
    origin
        What made the page: ``freqmaps`` (version) and ``commit``.
    templates
        The page without its data.

    Returns
    -------
    str
        HTML. It names no time of its own: the same results give the same page.
    """
    parts = _parts(clean, attacked, choice.ids)
    meta = {
        "study": study, "names": dict(names), "classes": list(classes), "attacks": list(attacked),
        "shape": list(shape), "block": factor(shape), "scale": list(scale(shape)), "bands": BANDS, "one": ONE,
        "samples": len(choice.ids), "available": choice.available, "limit": choice.limit,
        "parts": [part.describe() for part in parts], **_axes(*shape[1:]),
    }  # fmt: skip
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(templates.html).render(
        study=study,
        names=names,
        style=Markup(templates.style),
        script=Markup(templates.script),
        meta=Markup(safe_json(meta)),
        parts=parts,
        made_by=f"freqmaps {origin.get('freqmaps', 'unknown')}, commit {str(origin.get('commit', 'unknown'))[:12]}",
    )


def band_columns(maps: NDArray[np.float32]) -> Columns:
    """Return ``radial`` and ``angular`` shares of the energy of maps (n, c, h, w), summed over channels.

    Returns
    -------
    dict of ndarray
        (n, 32) uint16 each: 65535 is a share of 1; 0 throughout where there is no energy.
    """
    columns = {}
    for name, index in (("radial", rings(*maps.shape[-2:])), ("angular", sectors(*maps.shape[-2:]))):
        parts = [_shares(maps[i : i + _BLOCK], index) for i in range(0, max(len(maps), 1), _BLOCK)]
        columns[name] = np.rint(np.concatenate(parts) * ONE).astype(np.uint16)
    return columns


def _shares(maps: NDArray[np.float32], index: NDArray[np.int64]) -> NDArray[np.float64]:
    energy: NDArray[np.float64] = band_energy(np.square(maps, dtype=np.float64), index).sum(axis=1)
    return np.asarray(np.nan_to_num(shares(energy), nan=0.0), dtype=np.float64)


def _axes(height: int, width: int) -> dict[str, Any]:
    """Return which bands hold any frequency, and the radius of the plane's corner in cycles per image."""
    band_indices = {"radial": rings(height, width), "angular": sectors(height, width)}
    filled = {name: [bool((index == band).any()) for band in range(BANDS)] for name, index in band_indices.items()}
    return {"filled": filled, "corner": hypot(height // 2, width // 2)}


def safe_json(value: Any) -> str:
    """Return JSON that cannot end the script element it stands in, whatever the names in it are."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _parts(clean: Columns, attacked: Mapping[str, Columns], ids: Sequence[str]) -> list[Part]:
    joined = {"ids": np.frombuffer("\0".join(ids).encode(), dtype=np.uint8)}
    joined |= {f"clean.{name}": values for name, values in clean.items() if name not in ("sample", "has_map")}
    if attacked:
        counts = [len(columns["sample"]) for columns in attacked.values()]
        joined["row.attack"] = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
        for name in next(iter(attacked.values())):
            joined[f"row.{name}"] = np.concatenate([columns[name] for columns in attacked.values()])
    return [pack(name, values, predicted=name.split(".")[-1] in _PICTURES) for name, values in joined.items()]
