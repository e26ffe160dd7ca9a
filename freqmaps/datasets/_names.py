"""Names that libraries give data sets, checked without a file of these."""

from __future__ import annotations

from typing import Any

DECIDES_NUMBERS = False


def torchvision_dataset(*, name: str, **_: Any) -> None:
    """Check the name in the parameters of ``torchvision_dataset``.

    Raises
    ------
    ConfigError
        torchvision has no such classification data set.
    """
    from freqmaps.datasets.torchvision_dataset import _class

    _class(name)
