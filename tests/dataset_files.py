"""Small images, folders, archives and arrays that the tests of datasets read."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
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
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
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
