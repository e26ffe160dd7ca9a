"""Reading pickles that hold arrays and plain containers, and nothing that could run."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import Any

from freqmaps.core.errors import ConfigError


def load(data: bytes, where: str) -> Any:
    """Return the content of a pickle, of Python 2 or 3.

    Parameters
    ----------
    data
        The pickle; strings of Python 2 are read as Latin-1.
    where
        Its place, for messages.

    Raises
    ------
    ConfigError
        It names anything but NumPy's arrays and dtypes, or is not whole.
    """
    try:
        return _ArraysOnly(BytesIO(data), encoding="latin1").load()
    except _RefusedError as error:
        raise ConfigError(
            f"'{where}' refers to {error}, which is not an array and is refused; use the original file"
        ) from error
    except Exception as error:  # a damaged pickle can make the reader raise anything
        raise ConfigError(
            f"'{where}' is not a whole pickle ({type(error).__name__}: {error}); fetch it again"
        ) from error


class _RefusedError(Exception):
    """The name of something that a pickle may not refer to."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return one of the four callables that arrays need; see :class:`pickle.Unpickler`."""
        import numpy as np

        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            # What NumPy's own function does: an empty array, which the pickle's state then fills.
            return lambda kind, shape, dtype: np.ndarray.__new__(kind, shape, dtype)
        if (module, name) == ("_codecs", "encode"):
            return _latin1  # how Python 3 writes bytes for Python 2
        raise _RefusedError(f"{module}.{name}")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise _RefusedError(f"the encoding {encoding}")
    return text.encode("latin1")
