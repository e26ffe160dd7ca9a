"""The clean or the adversarial images of a run, with what the objective needs of each image computed once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from freqmaps.core.device import is_out_of_memory, release
from freqmaps.core.errors import FreqmapsError
from freqmaps.group_maps.selection import Pictures
from freqmaps.models._predict import to_unit


class Chunks:
    """Work in pieces that fit in memory: a piece that does not is halved, and so are all that follow.

    Parameters
    ----------
    size
        Images per piece to begin with.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        self.size, self.device = size, device

    def run(self, count: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` with slices that cover ``range(count)``; it must leave no trace when it runs out of memory."""
        start = 0
        while start < count:
            stop = min(start + self.size, count)
            try:
                work(slice(start, stop))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(stop - start)
                continue
            start = stop

    def _halve(self, size: int) -> None:
        release(self.device)
        if size <= 1:
            raise FreqmapsError("group_maps: not even one image fits in memory; use a machine or a device with more")
        self.size = size // 2


class Pool:
    """Clean or adversarial images.

    Parameters
    ----------
    pictures
        What they are.
    device
        Where targets, spectra and context are kept.
    cache
        Whether to keep F x of all images there; else it is computed whenever an image is looked at.

    Attributes
    ----------
    context
        (n, ...) what the objective needs of each unfiltered image: computed once, not once per epoch.
    right
        (n,) bool: whether the network gives the unfiltered image its target.
    """

    def __init__(self, pictures: Pictures, device: torch.device, cache: bool) -> None:
        self.images = torch.from_numpy(pictures.images)
        self.targets = torch.from_numpy(pictures.targets).to(device)
        self.device, self.width = device, self.images.shape[-1]
        self.context = self.right = torch.empty(0)
        self._spectra = self._all_spectra() if cache else None

    def __len__(self) -> int:
        return len(self.targets)

    def prepare(
        self, model: Callable[[Tensor], Tensor], remember: Callable[[Tensor, Tensor], Tensor], chunks: Chunks
    ) -> None:
        """Compute what the objective needs of each unfiltered image, and whether it is classified correctly."""
        found: list[tuple[Tensor, Tensor]] = []

        def work(part: slice) -> None:
            target = self.targets[part]
            logits = model(to_unit(self.images[part].to(self.device)))
            _check_classes(target, logits.shape[1])
            found.append((remember(logits, target), logits.argmax(dim=1) == target))

        with torch.no_grad():
            chunks.run(len(self), work)
        self.context = torch.cat([c for c, _ in found])
        self.right = torch.cat([r for _, r in found])

    def spectra(self, rows: Tensor) -> Tensor:
        """Return F x of some images, (b, c, h, w // 2 + 1) complex64; ``rows`` lie on the CPU."""
        if self._spectra is not None:
            return self._spectra.index_select(0, rows.to(self.device))
        spectra: Tensor = torch.fft.rfft2(to_unit(self.images.index_select(0, rows).to(self.device)))
        return spectra

    def _all_spectra(self) -> Tensor | None:
        try:
            return torch.cat([torch.fft.rfft2(to_unit(p.to(self.device))) for p in torch.split(self.images, 256)])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            release(self.device)
            return None


def _check_classes(targets: Tensor, classes: int) -> None:
    wrong = targets[(targets < 0) | (targets >= classes)]
    if len(wrong):
        raise FreqmapsError(
            f"group_maps: labels must lie in 0..{classes - 1}, the model's classes; found {int(wrong[0])}; "
            "was the model trained on these classes?"
        )
