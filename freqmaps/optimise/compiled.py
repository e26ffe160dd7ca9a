"""A frozen network compiled for one size of batch, where a job is long enough to repay it.

Compiled, the input gradient of ResNet-20 takes .78 to 1.0 of its time on a CPU, by machine and load. Compiling takes
half a minute the first time, and seconds where a job of the same network, batch and processor has compiled before: what
the compiler has made is kept in the user's cache. Gradients agree to 1e-6 of the largest, as those of another batch do,
so compilation decides no key. Whether a job compiles follows from its work, not from a clock: the same job gives the
same numbers again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from freqmaps.core.cache import cache_folder
from freqmaps.core.device import is_out_of_memory

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")

Mode = Literal["auto", "always", "never"]

#: Floating point operations per second that a device does in a frozen network, roughly: for the estimate alone.
RATE = {"cpu": 1e11, "cuda": 1e13}
#: Seconds of gradients from which on a job compiles by itself: a fifth of them is what it saves.
WORTHWHILE = 120.0
#: A smaller batch is filled up if it has this share of the images; below, it is faster as it is, not compiled.
FILLED = 0.8


class Compiled(nn.Module):
    """A frozen network, compiled for batches of one size; batches much smaller run through the network itself.

    Parameters
    ----------
    net
        From images (n, c, h, w) to logits (n, k), each image on its own.
    batch
        The size of batch that is compiled, when it first comes.
    """

    def __init__(self, net: nn.Module, batch: int) -> None:
        super().__init__()
        self.net, self.batch = net, batch
        self._run: Any = None
        self._failed = False

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images (n, c, h, w), (n, k)."""
        missing = self.batch - len(images)
        if self._failed or missing < 0 or len(images) < FILLED * self.batch:
            eager: Tensor = self.net(images)
            return eager
        try:
            logits = self._compiled()(F.pad(images, (0, 0) * 3 + (0, missing)) if missing else images)
        except Exception as error:  # the compiler, and what it calls, may raise anything
            if is_out_of_memory(error):
                raise
            self._failed = True
            log.warning("the network cannot be compiled, so it runs as it is (%s: %s)", type(error).__name__,
                        str(error).splitlines()[0] if str(error) else "no reason given")  # fmt: skip
            eager = self.net(images)
            return eager
        found: Tensor = logits[: len(images)]
        return found

    def _compiled(self) -> Any:
        if self._run is None:
            log.info("compiling the network for batches of %d images; that takes up to a minute or two", self.batch)
            # It warns where there is no CUDA, which is no news.
            logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(_kept()))
            # CUDA graphs reuse the memory of outputs at the next call: what a step needs of them it reads before.
            on_gpu = next(self.net.parameters()).device.type == "cuda"
            self._run = torch.compile(self.net, dynamic=False, mode="reduce-overhead" if on_gpu else None)
        if torch.cuda.is_available():
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return self._run


def compiled(net: nn.Module, image: Tensor, batch: int, gradients: float, mode: Mode = "auto") -> nn.Module:
    """Return a network that is compiled when it first sees a batch, or the network itself.

    Parameters
    ----------
    net
        Frozen, in evaluation mode.
    image
        (1, c, h, w): one like those to come.
    batch
        Images per batch, all but the last ones.
    gradients
        How many images' gradients the job will take, about.
    mode
        ``always``, ``never``, or ``auto``: if the gradients are worth it.
    """
    device = image.device.type
    if mode == "never" or device not in RATE or batch < 1:
        return net
    if mode == "auto" and gradients * 3.0 * operations(net, image) / RATE[device] < WORTHWHILE:
        return net
    if device == "cpu" and not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        log.info("the network is not compiled: there is no C++ compiler; g++ would make this job a fifth faster")
        return net
    return Compiled(net, batch)


def operations(net: nn.Module, images: Tensor) -> float:
    """Return the floating point operations of the logits of images (n, c, h, w)."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(images)
    return float(counter.get_total_flops())


def _kept() -> Path:
    """Return where the compiler keeps what it makes: apart for each kind of processor, as a home may be shared."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return cache_folder() / f"compiled-{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:12]}"
