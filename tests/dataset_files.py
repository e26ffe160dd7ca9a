"""Small images, folders, archives and arrays that the tests of datasets read."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from freqmaps.datasets._api import Block


@pytest.fixture(autouse=True, name="_own_cache")
def own_cache(tmp_path, monkeypatch):
    """Give each test a cache of fingerprints of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def whole(blocks) -> Block:
    parts = list(blocks)
    return Block(
        np.concatenate([b.image for b in parts]),
        np.concatenate([b.label for b in parts]),
        [s for b in parts for s in b.split],
        [s for b in parts for s in b.sample],
    )


def picture(seed: int, size=(8, 8), channels=3, form="png") -> bytes:
    shape = (size[1], size[0], 3) if channels == 3 else (size[1], size[0])
    return encoded(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), form)


def encoded(pixels, form="png") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


def tree(splits=("train", "test"), classes=("cat", "dog"), n=3, size=(8, 8), **more) -> dict[str, bytes]:
    """Make images by name: split/class/number."""
    names = [f"{split}/{c}/{i}.png" if split else f"{c}/{i}.png" for split in splits for c in classes for i in range(n)]
    return {name: picture(i, size, **more) for i, name in enumerate(names)}


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_tar(path: Path, files: dict[str, bytes], mode="w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def array_file(path: Path, **changes) -> str:
    rng = np.random.default_rng(0)
    content = {"images": rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), "labels": np.arange(12) % 3} | changes
    np.savez(path, **{k: v for k, v in content.items() if v is not None})
    return str(path)


CLASSES = ["fox", "cat", "dog"]


def hub_file(path: Path, images, labels, *, names=CLASSES, image="image", label="label", rows=2, raw=False) -> Path:
    """Write a parquet file as the library ``datasets`` does, with its metadata, in small row groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    column = list(images) if raw else [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(images)]
    table = pa.table({image: column, label: labels})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=rows)
    return path


def hub(folder: Path, splits=("train", "test"), n=6, **more) -> dict[str, list[bytes]]:
    """Write two files per split; labels 0, 1, 2, 0, 1, 2."""
    made = {}
    for s, split in enumerate(splits):
        made[split] = [picture(100 * s + i, channels=more.pop("channels", 3)) for i in range(n)]
        for part in range(2):
            here = slice(part * n // 2, (part + 1) * n // 2)
            labels = [i % 3 for i in range(n)][here]
            hub_file(folder / f"{split}-0000{part}-of-00002.parquet", made[split][here], labels, **more)
    return made


def shards(folder: Path, splits=("train", "val"), n=6) -> dict[str, list[bytes]]:
    folder.mkdir(exist_ok=True)
    made = {}
    for s, split in enumerate(splits):
        made[split] = [picture(50 * s + i) for i in range(n)]
        for part in range(2):
            files = {}
            for i in range(part * n // 2, (part + 1) * n // 2):
                files |= {f"{i:06d}.cls": f"{i % 3}".encode(), f"{i:06d}.json": b"{}", f"{i:06d}.png": made[split][i]}
            as_tar(folder / f"toys-{split}-00000{part}.tar", files)
    return made


def med_file(path: Path, shape=(8, 8, 3), **changes) -> str:
    rng = np.random.default_rng(0)
    content = {}
    for part, n in (("train", 9), ("val", 3), ("test", 6)):
        content[f"{part}_images"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        content[f"{part}_labels"] = (np.arange(n) % 3).astype(np.uint8)[:, None]
    np.savez_compressed(path, **{k: v for k, v in (content | changes).items() if v is not None})
    return str(path)


def mnist(root: Path, name="MNIST", n=6) -> dict[str, np.ndarray]:
    """Write the four files of MNIST: big-endian headers, then bytes."""
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    rng, made = np.random.default_rng(0), {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        made[split] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, n, 28, 28) + made[split].tobytes())
        labels = (np.arange(n) % 3).astype(np.uint8)
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, n) + labels.tobytes())
    return made
