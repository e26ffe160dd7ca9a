"""Plans of bases, and maps in their ranges, for the tests of bases."""

from functools import partial

import torch

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.maps import compute_maps
from freqmaps.optimise.layouts import ComplexFrequencyPlane, Grid
from freqmaps.optimise.problem import plan_for
from tests.map_cases import SHORT, small_net, some_images, some_targets

BASES = components.names("basis")
CPU = torch.device("cpu")


def tiny(name):
    return dict(components.find("basis", name).constants["TINY"])


def build(name, **parameters):
    return components.load("basis", name)(**(tiny(name) | parameters))


def bound(name, size=(8, 8), channels=2, dtype=torch.float64, **parameters):
    """A plan, its network and images."""
    net, images = small_net(channels).to(dtype), torch.from_numpy(some_images(3, channels, size)).to(dtype)
    return plan_for(net, build(name, **parameters), images, CPU), net, images


def refusal(name, size):
    """What a basis says to images of a size that it does not take."""
    try:
        bound(name, size)
    except FreqmapsError as error:
        return str(error)
    return None


SIZES = [(name, size) for name in BASES for size in ((8, 8), (7, 6)) if refusal(name, size) is None]


def some_map(plan, coefficients, seed=0):
    """A map within its range, with the symmetry that it must have."""
    layout, b = plan.layout, len(coefficients[0])
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    if isinstance(layout, Grid):
        return draw(b, *layout.shape)
    spectrum = torch.fft.rfft2(draw(b, layout.channels, layout.height, layout.width) - 0.5)
    spectrum /= spectrum.abs().max()
    return torch.view_as_real(spectrum) if isinstance(layout, ComplexFrequencyPlane) else spectrum.abs()


def make(name, settings=SHORT, n=5, penalty=0.02, images=None, **options):
    images = some_images(n, 2) if images is None else images
    return compute_maps(
        small_net(2), images, some_targets(len(images)), "cross_entropy", {"penalty": penalty}, settings,
        basis_name=name, basis_params=tiny(name), device="cpu", **options,
    )  # fmt: skip
