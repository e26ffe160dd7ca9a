"""Random numbers that belong to a sample, whatever batch or shard it is attacked in.

An attack draws its random start for a whole batch at once, so a plain seed would give a sample another start in
another batch. Here each row of such a draw comes from its own counter-based stream (Philox; Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", 2011), keyed by the seed and the sample's position in the dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from freqmaps.core.device import rng_devices

_WORD = 1 << 64

#: Draws that are replaced: the law, and the names and defaults of location parameters (in-place draws only).
_DRAWS: dict[Callable[..., Any], tuple[str, tuple[tuple[str, float], ...]]] = {
    torch.rand: ("uniform", ()),
    torch.rand_like: ("uniform", ()),
    torch.randn: ("normal", ()),
    torch.randn_like: ("normal", ()),
    Tensor.uniform_: ("uniform", (("from", 0.0), ("to", 1.0))),
    Tensor.normal_: ("normal", (("mean", 0.0), ("std", 1.0))),
}


class KeyedNoise(TorchFunctionMode):
    """While active, torch's uniform and normal draws whose first axis is the batch are drawn row by row.

    Draws of any other shape come from the stream of the batch's first sample. A draw with its own ``generator``
    is left alone.

    Parameters
    ----------
    seed
        Any integer.
    positions
        (n,) the position in the dataset of each sample of the batch.
    """

    def __init__(self, seed: int, positions: Sequence[int]) -> None:
        super().__init__()
        self.seed, self.positions, self.calls = seed % _WORD, [int(p) for p in positions], 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run any torch function; overwrite the outcome of a draw."""
        keywords = dict(kwargs or {})
        out = func(*args, **keywords)  # also for a draw: its shape, dtype and device are then right
        if func not in _DRAWS or keywords.get("generator") is not None:
            return out
        law, places = _DRAWS[func]
        values = torch.from_numpy(self._draw(law, tuple(out.shape)))
        if places:
            first, second = (
                args[i] if i < len(args) else keywords.get(name, default) for i, (name, default) in enumerate(places, 1)
            )
            values = first + (second - first if law == "uniform" else second) * values
        with torch.no_grad():
            out.copy_(values)
        return out

    def _draw(self, law: str, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Draw float32 numbers; the counter's second word numbers the draws, its first runs within one."""
        per_row = bool(shape) and shape[0] == len(self.positions)
        keys = self.positions if per_row else self.positions[:1]
        out = np.empty((len(keys), *(shape[1:] if per_row else shape)), np.float32)
        for row, position in zip(out, keys, strict=True):
            stream = np.random.Philox(key=[self.seed, position], counter=[0, self.calls, 0, 0])
            generator = np.random.Generator(stream)
            row[...] = (generator.random if law == "uniform" else generator.standard_normal)(row.shape, np.float32)
        self.calls += 1
        return out.reshape(shape)


@contextmanager
def keyed_noise(seed: int, positions: Sequence[int], device: torch.device) -> Iterator[None]:
    """Make an attack's random numbers a function of the seed and the samples' positions.

    Torch's uniform and normal draws are keyed sample by sample (:class:`KeyedNoise`). Any others, of torch's and
    NumPy's global generators, are seeded from the position of the first sample; both generators are put back
    afterwards.

    Parameters
    ----------
    seed
        Any integer.
    positions
        (n,) the position in the dataset of each sample of the batch, n ≥ 1.
    device
        Where the attack runs.
    """
    digest = hashlib.sha256(f"{seed} {int(positions[0])}".encode()).digest()
    fallback = int.from_bytes(digest[:4], "little")
    saved = np.random.get_state()
    with torch.random.fork_rng(devices=rng_devices(device)):
        torch.manual_seed(fallback)
        np.random.seed(fallback)
        try:
            with KeyedNoise(seed, positions):
                yield
        finally:
            np.random.set_state(saved)
