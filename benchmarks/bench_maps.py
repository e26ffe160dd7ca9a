"""Maps: batches against one image at a time, a step against the network's bare input gradient, and their agreement.

Speed: ResNet-20 at 32×32, 64 images, its weights random (a step costs the same whatever they are); both sides make a
fixed number of steps, and what is compared is the time per image and step: 100 steps of the whole batch, its start
included, against 300 steps of one image. The same, in fewer steps, for the single-image masks of K22: VGG11, gray, its
objective and schedule, images of 128×128. A step of every basis is compared with the bare gradient, too. Agreement: the
network is first trained for some seconds, so that its maps have the structure that makes them converge.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.networks import trained_resnet20
from freqmaps.core import components
from freqmaps.core.device import full_float32
from freqmaps.core.frozen import freeze
from freqmaps.maps import MapSettings, to_full
from freqmaps.maps._engine import _Run, optimise_maps
from freqmaps.optimise.compiled import Compiled, Mode, operations

PENALTY = 0.5
#: A step against the gradient of the network that the engine differentiates, its batch norm folded away, ...
OVERHEAD = "maps_step_vs_bare_gradient"
#: ... and against that of the frozen network as it is.
PLAIN = "maps_step_vs_plain_gradient"
#: Bases of images; ``features`` is left out, as its network is cut and has another bare gradient.
BASES = ("fourier", "fourier_complex", "phase", "dct", "wavelet")


def one_at_a_time(
    model: nn.Module, image: torch.Tensor, target: int, settings: MapSettings, penalty: float
) -> NDArray[np.float32]:
    """Make one map as published code does: full plane, autograd through the transforms, torch's Adam."""
    image = image[None]
    mask = torch.ones_like(image, requires_grad=True)
    adam = torch.optim.Adam([mask], lr=settings.learning_rate)
    wanted = torch.tensor([target], device=image.device)
    losses: list[float] = []
    while True:
        adam.zero_grad()
        seen = torch.fft.ifft2(mask * torch.fft.fft2(image)).real
        loss = nn.functional.cross_entropy(model(seen), wanted) + penalty * mask.abs().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        mask.data.clamp_(0, 1)
        losses.append(loss.item())
        quiet = abs(losses[-1] - np.mean(losses[-settings.window :])) < settings.tolerance
        if (len(losses) > settings.min_steps and quiet) or len(losses) > settings.max_steps:
            return mask.detach()[0].cpu().numpy()


def fixed(steps: int) -> MapSettings:
    """Settings under which every map makes exactly this many steps."""
    return MapSettings(min_steps=steps - 1, max_steps=steps - 1, tolerance=0.0)


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Time one call, waiting for a GPU to finish."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def input_gradient(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Compute the gradient of the summed cross-entropy with respect to the images (n, c, h, w), and drop it."""
    x = images.clone().requires_grad_()
    torch.autograd.grad(nn.functional.cross_entropy(network(x), labels, reduction="sum"), x)


def resnet20(classes: int, channels: int, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    build = components.load("model", "resnet_cifar")
    model: nn.Module = build(classes=classes, channels=channels, size=32, depth=20)
    return model.to(device).eval().requires_grad_(False)


@full_float32()
def speed(device: torch.device, images: int, steps: int, single_steps: int, repeats: int) -> dict[str, float]:
    """Return seconds per image and step of both ways, warm, and their ratio."""
    model = resnet20(10, 3, device)
    x, t = torch.rand(images, 3, 32, 32, device=device), torch.zeros(images, dtype=torch.int64, device=device)
    objective = components.load("objective", "cross_entropy")(penalty=PENALTY)

    def batch(count: int) -> None:
        list(optimise_maps(model, x, t, objective, fixed(count), device=device, batch=images))

    def single(count: int) -> None:
        one_at_a_time(model, x[0], 0, fixed(count), PENALTY)

    # Interleaved, because other programs on the machine slow down now the one, now the other. What it costs to start
    # a batch (folding, the first transforms) is within its time, as it is in use, where it is spread over more steps.
    single(10), batch(3)
    rounds = [
        (seconds(lambda: single(single_steps), device), seconds(lambda: batch(steps), device)) for _ in range(repeats)
    ]
    alone = float(np.median([s for s, _ in rounds])) / single_steps
    together = float(np.median([b for _, b in rounds])) / (images * steps)
    return {
        "maps_vs_one_at_a_time": alone / together,
        "maps_images": float(images),
        "maps_steps_timed": float(steps),
        "maps_one_at_a_time_steps_timed": float(single_steps),
        "maps_ms_per_image_and_step": 1e3 * together,
        "maps_one_at_a_time_ms_per_step": 1e3 * alone,
    }


def masks_one_at_a_time(model: nn.Module, image: torch.Tensor, target: int, steps: int) -> None:
    """Make some steps of K22's mask of an image as published code does: a second look for the prediction at each."""
    image = image[None]
    mask = torch.ones_like(image, requires_grad=True)
    adam = torch.optim.Adam([mask], lr=0.2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.2, total_steps=20_001, pct_start=0.1)
    wanted = torch.tensor([target], device=image.device)
    with torch.no_grad():
        unfiltered = nn.functional.cross_entropy(model(image), wanted)
    for _ in range(steps):
        adam.zero_grad()
        change = nn.functional.cross_entropy(model(torch.fft.ifft2(mask * torch.fft.fft2(image)).real), wanted)
        loss = torch.exp((change - unfiltered) ** 2) + 0.07 * mask.abs().sum() / mask.numel()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        cycle.step()
        mask.data.clamp_(0, 1)
        with torch.no_grad():
            loss.item(), model(torch.fft.ifft2(mask * torch.fft.fft2(image)).real).argmax().item()


@full_float32()
def masks(device: torch.device, images: int, steps: int, single_steps: int, repeats: int) -> dict[str, float]:
    """Return seconds per image and step of K22's single-image masks, both ways, and their ratio."""
    torch.manual_seed(0)
    model = components.load("model", "vgg11_bn")(classes=5, channels=1, size=128).to(device).eval()
    model.requires_grad_(False)
    x = torch.rand(images, 1, 128, 128, device=device)
    t = model(x).argmax(dim=1)
    objective = components.load("objective", "invariance")()

    def batch() -> None:
        settings = MapSettings(
            learning_rate=0.2, schedule="one_cycle", stop="quiet", min_steps=steps - 1, max_steps=steps - 1
        )
        list(optimise_maps(model, x, t, objective, settings, device=device, batch=images))

    def single() -> None:
        masks_one_at_a_time(model, x[0], int(t[0]), single_steps)

    single(), batch()
    rounds = [(seconds(single, device), seconds(batch, device)) for _ in range(repeats)]
    alone = statistics.median(s for s, _ in rounds) / single_steps
    together = statistics.median(b for _, b in rounds) / (images * steps)
    return {
        "masks_vs_one_at_a_time": alone / together,
        "masks_images": float(images),
        "masks_ms_per_image_and_step": 1e3 * together,
        "masks_one_at_a_time_ms_per_step": 1e3 * alone,
    }


def bases(device: torch.device, images: int, repetitions: int) -> dict[str, float]:
    """Return what a whole step of each basis costs, in bare gradients."""
    return {
        f"maps_step_vs_bare_gradient_{name}": step_overhead(device, images, repetitions, name)[OVERHEAD]
        for name in BASES[1:]
    }


def compiled(device: torch.device, images: int, repetitions: int, alone_ms: float) -> dict[str, float]:
    """Return what a step costs with the network compiled, in bare gradients of the network that is not, and its gain.

    Compiling is not in it: it is done once per network, batch and processor, for jobs that are long enough.
    """
    found = step_overhead(device, images, repetitions, mode="always")
    return {
        f"{OVERHEAD}_compiled": found[OVERHEAD],
        f"{PLAIN}_compiled": found[PLAIN],
        "maps_step_compiled_ms": found["maps_step_ms"],
        "maps_compiled_vs_one_at_a_time": alone_ms / (found["maps_step_ms"] / images),
    }


@full_float32()
def step_overhead(
    device: torch.device, images: int, repetitions: int, basis: str = "fourier", mode: Mode = "never"
) -> dict[str, float]:
    """Return the median ratios of a step to input gradients of the frozen network, folded and not, interleaved."""
    model, x = resnet20(10, 3, device), torch.rand(images, 3, 32, 32, device=device)
    t = torch.zeros(images, dtype=torch.int64, device=device)
    objective = components.load("objective", "cross_entropy")(penalty=PENALTY)
    chosen = components.load("basis", basis)()
    run = _Run(model, x, t, range(images), objective, chosen, MapSettings(), device, images, None, mode)
    net = run.problem.net
    eager = net.net if isinstance(net, Compiled) else net
    model.to(memory_format=torch.channels_last)

    def gradient(network: nn.Module) -> None:
        for _ in range(run.check_every):
            input_gradient(network, x, t)

    def bare() -> None:
        gradient(eager)

    def plain() -> None:
        gradient(model)

    def whole() -> None:
        run._advance()
        run._collect()

    rounds = [[seconds(work, device) for work in (bare, plain, whole)] for _ in range(repetitions + 3)][3:]
    return {
        OVERHEAD: float(np.median([w / b for b, _, w in rounds])),
        PLAIN: float(np.median([w / p for _, p, w in rounds])),
        "maps_step_ms": 1e3 * float(np.median([w for *_, w in rounds])) / run.check_every,
    }


@full_float32()
def ceiling(device: torch.device, images: int, repetitions: int, alone_ms: float) -> dict[str, float]:
    """Return how near the gradient comes to the device's fastest arithmetic, and what that allows a batch to gain.

    A product of two large matrices stands for the fastest: convolutions are made of such products, unless they trade
    multiplications for additions as Winograd's do, which oneDNN does not on CPUs. Interleaved with the gradient.
    """
    x, t = torch.rand(images, 3, 32, 32, device=device), torch.zeros(images, dtype=torch.int64, device=device)
    net = freeze(resnet20(10, 3, device), x[:2])
    # As many for the gradient with respect to a layer's input as for its output.
    done = 2 * operations(net, x)
    size = 1024 if device.type == "cpu" else 8192
    left, right = torch.rand(2, size, size, device=device).unbind()

    def gradient() -> None:
        input_gradient(net, x, t)

    def product() -> None:
        for _ in range(5):
            torch.mm(left, right)

    rounds = [(seconds(gradient, device), seconds(product, device)) for _ in range(repetitions + 3)][3:]
    rate = 5 * 2 * size**3 / statistics.median(p for _, p in rounds)
    reached = done / statistics.median(g for g, _ in rounds)
    return {
        "maps_gradient_share_of_matrix_product": reached / rate,
        "matrix_product_1e9_per_second": rate / 1e9,
        "maps_vs_one_at_a_time_at_most": 1e-3 * alone_ms / (done / images / rate),
    }


@full_float32()
def agreement(device: torch.device, images: int, settings: MapSettings) -> dict[str, float]:
    """Compare the maps of both ways on a network that has learned something."""
    network, pictures, labels = trained_resnet20(images, 120)
    model = network.to(device)
    x, t = torch.from_numpy(pictures).to(device), torch.from_numpy(labels).to(device)
    objective = components.load("objective", "cross_entropy")(penalty=PENALTY)
    half = np.empty((images, 3, 32, 17), dtype=np.float32)
    for group in optimise_maps(model, x, t, objective, settings, device=device):
        half[group.index] = group.map
    ours = np.fft.ifftshift(to_full(half, 32), axes=(-2, -1)).reshape(images, -1)
    theirs = np.stack([one_at_a_time(model, x[i], int(t[i]), settings, PENALTY).ravel() for i in range(images)])
    cosine = (ours * theirs).sum(1) / np.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
    return {
        "maps_agreement_median_cosine": float(np.median(cosine)),
        "maps_agreement_forks": float((cosine < 0.99).mean()),
        "maps_agreement_images": float(images),
        "maps_agreement_mean_of_map": float(ours.mean()),
    }


def run(device: str = "auto") -> dict[str, float]:
    """Return all figures; about five minutes on two cores."""
    on_gpu = torch.cuda.is_available() and device in ("auto", "cuda")
    where = torch.device("cuda" if on_gpu else "cpu")
    fast = speed(where, images=4096 if on_gpu else 64, steps=100, single_steps=300, repeats=3)
    return {
        **fast,
        **compiled(
            where,
            images=4096 if on_gpu else 64,
            repetitions=20 if on_gpu else 60,
            alone_ms=fast["maps_one_at_a_time_ms_per_step"],
        ),
        **step_overhead(where, images=4096 if on_gpu else 64, repetitions=20 if on_gpu else 60),
        **ceiling(
            where,
            images=4096 if on_gpu else 64,
            repetitions=20 if on_gpu else 60,
            alone_ms=fast["maps_one_at_a_time_ms_per_step"],
        ),
        **bases(where, images=4096 if on_gpu else 64, repetitions=20),
        **masks(
            where, images=256 if on_gpu else 8, steps=20 if on_gpu else 4, single_steps=40 if on_gpu else 4, repeats=3
        ),
        **agreement(where, images=12, settings=MapSettings(max_steps=800)),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
