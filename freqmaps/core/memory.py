"""Estimates of how many images can be processed in one batch within the device's memory."""

from __future__ import annotations

import psutil
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from freqmaps.core.allocator import give_freed_memory_back as give_freed_memory_back
from freqmaps.core.allocator import keep_freed_memory as keep_freed_memory

DECIDES_NUMBERS = False

#: Share of the free memory that a batch may take.
SHARE = {"cpu": 0.4, "cuda": 0.8, "mps": 0.4}
#: On a CPU, larger batches than this many bytes of activations are no faster (measured with ResNet-20).
CPU_WORKING_SET = 80 << 20
CPU_BATCH = (16, 512)
MAX_BATCH = 8192


def saved_bytes(net: nn.Module, image: Tensor) -> int:
    """Return the bytes of activations that the input gradient of one image (1, c, h, w) keeps, weights left out."""
    weights = {t.untyped_storage().data_ptr() for t in [*net.parameters(), *net.buffers()]}
    sizes: dict[int, int] = {}
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
            saved.append(tensor)  # alive, so that no other storage gets its address
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(pack, lambda tensor: tensor):
        net(image.detach().clone().requires_grad_())
    return sum(sizes.values())


def bytes_per_image(net: nn.Module, image: Tensor, numbers: int | None = None) -> int:
    """Return an upper estimate of the memory that one more image in a batch takes; parameters as `fitting_batch`.

    Measured on a CPU: 1.2 times what ViT-B/16 takes at 224×224 (126 MiB), 1.4 times for ResNet-18 (22 MiB).
    """
    # Activations and their gradients; coefficients, map, two moments, gradient and scratch, transforms.
    return 2 * saved_bytes(net, image) + 16 * (numbers or image.numel()) * image.element_size()


def fitting_batch(net: nn.Module, image: Tensor, numbers: int | None = None) -> int:
    """Return how many images to optimise together.

    Parameters
    ----------
    net, image
        The network, and one of the images, (1, c, h, w), on the device.
    numbers
        How many numbers the coefficients of one image are; None: as many as its pixels.
    """
    device = image.device
    fits = max(1, int(SHARE.get(device.type, 0.4) * free_bytes(device) / bytes_per_image(net, image, numbers)))
    if device.type != "cpu":
        return min(fits, MAX_BATCH)
    fastest = min(max(CPU_WORKING_SET // max(saved_bytes(net, image), 1), CPU_BATCH[0]), CPU_BATCH[1])
    return min(fits, fastest)


def free_bytes(device: torch.device) -> int:
    """Return the memory that a device has left; of the CPU, what the machine can give without swapping."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
