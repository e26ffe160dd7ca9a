"""Checks and measurements that need a GPU, in one command: make gpu-check. Writes results/gpu-check.md.

The tests marked ``gpu``; the estimate of memory against the allocator's own statistics; reduced precision; a compiled
step with captured graphs; the bounds of speed that hold on a GPU: 500 times one map at a time, and a step within 1.3
times the bare input gradient; and what an input gradient costs in full float32 and in TF32, by how weights lie. Each
figure is printed, and the page written, as soon as it is known.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from benchmarks import bench_maps
from freqmaps.core.components import load
from freqmaps.core.device import full_float32
from freqmaps.core.files import write_text
from freqmaps.core.memory import bytes_per_image
from freqmaps.models import build_classifier
from freqmaps.provenance.manifest import libraries, origin
from freqmaps.training import TrainingSettings, train

#: Runs some work, and returns the bytes of memory that it took at most.
Peak = Callable[[Callable[[], object]], int]
PAGE = Path("results/gpu-check.md")


class Sizes(NamedTuple):
    """How much work each check is: images per batch, steps timed, repetitions, images trained on."""

    images: int = 2048
    steps: int = 100
    single_steps: int = 300
    repetitions: int = 5
    trained: int = 20_000


class Check(NamedTuple):
    """A figure, the side of its bound on which it must lie (none: ``""``), and what it is."""

    name: str
    value: float
    side: str
    bound: float
    about: str

    @property
    def kept(self) -> bool:
        """Whether the figure lies on the right side of its bound."""
        return not self.side or (self.value >= self.bound if self.side == ">=" else self.value <= self.bound)

    @property
    def row(self) -> str:
        """The figure as a row of the page's table."""
        bound = {">=": f"at least {self.bound:g}", "<=": f"at most {self.bound:g}"}.get(self.side, "")
        kept = ("yes" if self.kept else "**no**") if self.side else ""
        return f"| {self.about} | {self.value:.4g} | {bound} | {kept} |"


def main() -> None:
    """Run all checks on the first GPU, and write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu-check: torch finds no GPU here; run it where nvidia-smi lists one")
    PAGE.parent.mkdir(exist_ok=True)
    all_kept = True
    for text, kept in pages(torch.device("cuda"), gpu_tests, Sizes(), torch.cuda.get_device_name()):
        write_text(PAGE, text)
        print(text.splitlines()[-1], flush=True)
        all_kept = kept
    print(f"Written to {PAGE}.")
    sys.exit(0 if all_kept else 1)


def pages(
    device: torch.device, tests: Callable[[], tuple[bool, str]], sizes: Sizes, name: str, peak: Peak | None = None
) -> Iterator[tuple[str, bool]]:
    """Yield the page as Markdown with one figure more each time, and whether everything is as it should be.

    Parameters
    ----------
    device
        Where to compute.
    tests
        Runs the tests that need a GPU: whether they pass, and their last line.
    sizes
        How much work each check is.
    name
        Of the device.
    peak
        See :func:`memory`.
    """
    passed, said = tests()
    versions = ", ".join(f"{key} {value}" for key, value in {**origin(), **libraries()}.items() if key != "dirty")
    lines = [
        "# GPU check", "", f"{name}; {versions}.", "",
        f"Tests marked `gpu`: {'passed' if passed else '**failed**'} ({said}).", "",
        "| what | figure | bound | kept |", "|---|---|---|---|",
    ]  # fmt: skip
    yield "\n".join(lines) + "\n", passed
    for check in figures(device, sizes, peak):
        lines.append(check.row)
        passed = passed and check.kept
        yield "\n".join(lines) + "\n", passed


def gpu_tests() -> tuple[bool, str]:
    """Run the tests marked ``gpu``."""
    # Only the files that have such tests: the others' imports need what only their own tests do.
    files = [str(p) for p in sorted(Path("tests").glob("test_*.py")) if "pytest.mark.gpu" in p.read_text("utf-8")]
    spread = ["--numprocesses", "4"] if (os.cpu_count() or 1) >= 8 else []
    options = ["-q", "-m", "gpu", "-o", "addopts=--strict-markers", "-W", "default", *spread]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files], capture_output=True, text=True, check=False
    )
    PAGE.parent.mkdir(exist_ok=True)
    write_text(PAGE.with_name("gpu-tests.log"), done.stdout + done.stderr)
    return done.returncode == 0, (done.stdout.strip().splitlines() or ["no output"])[-1]


def figures(device: torch.device, sizes: Sizes, peak: Peak | None = None) -> Iterator[Check]:
    """Yield the figures and their bounds."""
    fast = bench_maps.speed(device, sizes.images, sizes.steps, sizes.single_steps, repeats=3)
    alone = fast["maps_one_at_a_time_ms_per_step"]
    yield Check("speed", fast["maps_vs_one_at_a_time"], ">=", 500, "maps in a batch against one at a time, times")
    step = bench_maps.step_overhead(device, sizes.images, sizes.repetitions)[bench_maps.OVERHEAD]
    yield Check("step", step, "<=", 1.3, "a step against the bare input gradient, times")
    compiled = bench_maps.compiled(device, sizes.images, sizes.repetitions, alone)[f"{bench_maps.OVERHEAD}_compiled"]
    yield Check("compiled", compiled, "<=", 1.0, "a step, compiled and captured, against the bare gradient, times")
    taken, estimated = memory(device, min(sizes.images, 512), peak)
    yield Check("memory", taken / estimated, "<=", 1.0, "memory that a batch takes, of what was estimated")
    yield Check("memory spared", taken / estimated, ">=", 0.3, "the same: an estimate too high wastes the device")
    full, reduced = (_loss(device, sizes.trained, precision) for precision in ("float32", "auto"))
    yield Check("precision", abs(reduced - full), "<=", 0.1, "loss of a training in reduced precision, less float32's")
    for layout in (torch.channels_last, torch.contiguous_format):
        for tf32 in (False, True):
            cost = gradient(device, sizes.images, sizes.repetitions, layout, tf32=tf32)
            lying = "channels last" if layout is torch.channels_last else "channels first"
            about = f"an input gradient, {'TF32' if tf32 else 'full float32'}, weights {lying}: µs per image"
            yield Check(f"gradient, {lying}, {'TF32' if tf32 else 'float32'}", cost, "", 0.0, about)


def gradient(device: torch.device, images: int, repetitions: int, layout: torch.memory_format, *, tf32: bool) -> float:
    """Return the microseconds per image of an input gradient of ResNet-20, the median over some.

    Parameters
    ----------
    device, images, repetitions
        Where, how many at once, and how often.
    layout
        How weights lie.
    tf32
        Whether convolutions may round to TF32, as torch lets them unless told not to.
    """
    net = bench_maps.resnet20(10, 3, device).to(memory_format=layout)  # type: ignore[call-overload]
    x = torch.rand(images, 3, 32, 32, device=device)
    labels = torch.zeros(images, dtype=torch.int64, device=device)

    def work() -> None:
        bench_maps.input_gradient(net, x, labels)

    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32):
        taken = [bench_maps.seconds(work, device) for _ in range(repetitions + 2)][2:]
    return 1e6 * statistics.median(taken) / images


@full_float32()
def memory(device: torch.device, images: int, peak: Peak | None = None) -> tuple[int, float]:
    """Return the bytes that an input gradient of a batch takes at most, and what the package estimates for it.

    Parameters
    ----------
    device, images
        Where, and how many.
    peak
        Runs some work and returns the bytes that it took; None asks CUDA's allocator.
    """
    net = bench_maps.resnet20(10, 3, device)
    x = torch.rand(images, 3, 32, 32, device=device)
    labels = torch.zeros(images, dtype=torch.int64, device=device)

    def work() -> None:
        bench_maps.input_gradient(net, x, labels)

    work()  # what libraries set up once is not the batch's
    taken = (peak or _peak)(work)
    return taken, float(bytes_per_image(net, x[:1]) * images)


def _peak(work: Callable[[], object]) -> int:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _loss(device: torch.device, images: int, precision: Literal["float32", "auto"]) -> float:
    """Return the loss after an epoch on random images with a class that shows in their brightness."""
    labels = torch.arange(images) % 10
    noise = torch.rand(images, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    x = (noise + labels[:, None, None, None] / 5) / 3
    settings = TrainingSettings(epochs=1, batch=min(128, images), learning_rate=0.02, precision=precision)
    classifier = build_classifier("resnet_cifar", {"depth": 8}, classes=10, channels=3, size=32, seed=0)
    history = train(classifier, x.numpy(), labels.numpy(), x[:100].numpy(), labels[:100].numpy(),
                    settings=settings, regime=load("regime", "standard")(), seed=0, device=device)  # fmt: skip
    return float(history[-1]["train_loss"])


if __name__ == "__main__":
    main()
