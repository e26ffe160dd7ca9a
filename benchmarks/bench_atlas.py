"""The atlas in a browser: bytes of the page, seconds until it can be used, milliseconds per frame while scrolling.

The page holds 5000 synthetic samples of CIFAR-10's size and one attack. Scrolling draws each frame anew: tiles that
come into sight are decoded and drawn the first time, which is the slowest case.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from freqmaps.atlas import Choice, ImageSet, Predictions, Templates, build_atlas, set_columns

N, ATTACKS = 5000, ("pgd",)
CLASSES = [f"class {i}" for i in range(10)]
TEMPLATES = Path(__file__).parent.parent / "report"
BROWSER = [f"--{flag}" for flag in (
    "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync",
)]  # fmt: skip

#: Scrolls by nine tenths of the window for every frame; returns the milliseconds that each frame took to draw.
SCROLL = """async () => {
  const box = document.getElementById("grid"), times = [];
  for (let i = 0; i < 120; i++) {
    const start = performance.now();
    box.scrollTop += box.clientHeight * .9;
    drawGrid();
    times.push(performance.now() - start);
    await new Promise(done => requestAnimationFrame(done));
  }
  return times;
}"""


def run() -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "atlas.html"
        start = time.perf_counter()
        path.write_text(page(N), encoding="utf-8")
        built = time.perf_counter() - start
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        shown = browser.new_page(viewport={"width": 1440, "height": 900})
        start = time.perf_counter()
        shown.goto(path.as_uri())
        shown.wait_for_selector("body[data-ready]", timeout=60_000)
        loaded = time.perf_counter() - start
        frames = sorted(shown.evaluate(SCROLL))
        sorting = shown.evaluate(
            "() => { const t = performance.now(); change({sort: 'cosine'}); return performance.now() - t; }"
        )
        size = path.stat().st_size
        browser.close()
    return {
        "atlas_megabytes_of_5000_images": size / 1e6,
        "atlas_build_seconds": built,
        "atlas_load_seconds": loaded,
        "atlas_frame_milliseconds_median": frames[len(frames) // 2],
        "atlas_frame_milliseconds_95_percent": frames[int(0.95 * len(frames))],
        "atlas_sort_milliseconds": sorting,
    }


def page(n: int, *, channels: int = 3, size: int = 32, attacks: tuple[str, ...] = ATTACKS, seed: int = 0) -> str:
    """Return a page of ``n`` synthetic samples: images with natural spectra, sparse maps, invented answers."""
    rng = np.random.default_rng(seed)
    ids = [f"test/{i:05d}" for i in range(n)]
    images = _images(rng, n, channels, size)
    label = np.arange(n) % len(CLASSES)
    clean = ImageSet("essential", np.arange(n), images, _maps(rng, images.shape), np.ones(n, bool),
                     {"label": label.astype(np.int16), **_numbers(rng, n)})  # fmt: skip
    rows = {}
    for attack in attacks:
        noise = rng.choice(np.float32([-8, 8]) / 255, images.shape).astype(np.float32)
        columns = {"fooled": ((label + 1) % 10).astype(np.int16), "success": np.ones(n, bool)}
        columns |= {"linf": np.full(n, 8 / 255, np.float32), "l2": np.ones(n, np.float32), "cosine": rng.random(n)}
        attacked = ImageSet(attack, np.arange(n), np.clip(images + noise, 0, 1), _maps(rng, images.shape),
                            np.ones(n, bool), columns | _numbers(rng, n))  # fmt: skip
        rows[attack] = set_columns(attacked, _predictions(rng, n), images)
    return build_atlas(
        set_columns(clean, _predictions(rng, n)), rows,
        classes=CLASSES, shape=images.shape[1:], choice=Choice(ids, n), study="synthetic",
        names={"dataset": "synthetic", "model": "none", "training": "none", "seed": "0", "maps": "none"},
        origin={}, templates=Templates.read(TEMPLATES),
    )  # fmt: skip


def _images(rng: np.random.Generator, n: int, channels: int, size: int) -> np.ndarray:
    """Amplitudes fall with frequency as in photographs, with levels of 8 bits."""
    k = np.fft.fftfreq(size) * size
    amplitude = 1 / np.maximum(1, np.hypot(k[:, None], k[None, : size // 2 + 1]))
    images = np.empty((n, channels, size, size), np.float32)
    for start in range(0, n, 500):
        part = images[start : start + 500]
        waves = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((len(part), 1, size, size))) * amplitude, s=(size, size))
        part[:] = 0.5 + 0.2 * waves / waves.std() + 0.02 * rng.standard_normal(part.shape)
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.float32) / 255


def _maps(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Point-symmetric maps with some fiftieth of their entries."""
    h, w = shape[-2:]
    maps = rng.random(shape, dtype=np.float32) * (rng.random(shape, dtype=np.float32) < 0.01)
    mirrored = maps[..., -np.arange(h) % h, :][..., -np.arange(w) % w]
    return np.fft.fftshift(np.maximum(maps, mirrored), axes=(-2, -1))


def _numbers(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    flags = {name: rng.random(n) < 0.9 for name in ("converged", "keeps_prediction")}
    return {
        "steps": rng.integers(500, 5000, n).astype(np.int32),
        "loss": rng.random(n),
        "sparsity": rng.random(n),
        **flags,
    }


def _predictions(rng: np.random.Generator, n: int) -> Predictions:
    top = np.sort(rng.dirichlet(np.ones(10), n), axis=1)[:, ::-1][:, :5].astype(np.float32)
    order = np.argsort(rng.random((n, 10)), axis=1)[:, :5].astype(np.int16)
    return Predictions(order, top, order, top)
