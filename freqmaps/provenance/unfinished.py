"""Half-finished work: the finished parts of a result, kept in files from which a later run resumes.

Every file has one form: a line that names it, a line of JSON that says what it was made for and the SHA-256 of the
content, and the content. A file that was made for another result, by other code, from other data, or that is damaged
is not used: the log says so, and what it holds is computed again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from freqmaps.core import files

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")

Arrays: TypeAlias = "dict[str, NDArray[Any]]"
Content = TypeVar("Content")

#: The folder of half-finished work in the keyed folder of its result.
FOLDER = "partial"
#: The first line; the number is raised when what follows changes its form.
_FIRST = b"freqmaps half-finished work 1\n"
#: What the readers of a content raise if it is none of theirs, or would run code.
_UNREADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError,
               pickle.UnpicklingError, zipfile.BadZipFile)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where half-finished work is kept, and which result it is for.

    Attributes
    ----------
    folder
        Made when something is kept.
    key, code
        Of the result: its key, and the digest of the code that makes it. Empty outside of jobs.
    """

    folder: Path
    key: str = ""
    code: str = ""


class Unfinished:
    """The half-finished work of one stage in a folder; other work may keep files in the same folder.

    Parameters
    ----------
    place
        Where to keep it, as a folder or with the result that it is for; None keeps nothing.
    stage
        What is computed.
    mark
        The :func:`mark` of what it is computed from.
    """

    def __init__(self, place: Place | Path | None, stage: str, mark: str) -> None:
        self.place = Place(place) if isinstance(place, Path) else place
        self.stage, self.mark = stage, mark

    @property
    def owner(self) -> dict[str, str]:
        """What a file must have been made for to be used: stage, result, code, and what it was computed from."""
        assert self.place is not None
        return {"stage": self.stage, "key": self.place.key, "code": self.place.code, "work": self.mark}

    def save(self, name: str, content: bytes | memoryview) -> None:
        """Keep a content under a name, whole or not at all; one of the same name is replaced.

        It is not waited for until it is on the disk: after a power cut a file may be cut short, which is noticed.
        """
        if self.place is None:
            return
        self.place.folder.mkdir(parents=True, exist_ok=True)
        header = self.owner | {"sha256": hashlib.sha256(content).hexdigest()}
        path = self.place.folder / f"{self.stage}-{self.mark[:12]}-{name}.part"
        with files.whole(path, durable=False) as temporary, temporary.open("wb") as handle:
            handle.write(_FIRST + json.dumps(header).encode() + b"\n")
            handle.write(content)

    def load(self, read: Callable[[io.BytesIO], Content], name: str = "") -> Iterator[Content]:
        """Yield what earlier runs of the same work have kept, in order of name.

        Parameters
        ----------
        read
            Reads a content; a file at which it fails counts as damaged.
        name
            Under which it was kept; without, all are read.
        """
        pattern = f"{self.stage}-*-{name}.part" if name else f"{self.stage}-*.part"
        for path in sorted(self.place.folder.glob(pattern)) if self.place else ():
            try:
                header, content = _parts(path.read_bytes())
                others = [name for name, value in self.owner.items() if header.get(name) != value]
                if others:
                    log.info("%s: belongs to other work (another %s), so it is not used", path, " and ".join(others))
                    continue
                loaded = read(io.BytesIO(content))
            except _UNREADABLE as error:
                log.warning("%s: damaged, so what it holds is computed again (%s)", path, error)
                continue
            yield loaded


def _parts(file: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the header and the content of a file.

    Raises
    ------
    ValueError
        It has another form, or its content is not what was written.
    """
    first, line, _ = (*file.split(b"\n", 2), b"", b"")[:3]
    if first + b"\n" != _FIRST:
        raise ValueError("not a file of half-finished work of this version")
    header, content = json.loads(line), memoryview(file)[len(first) + len(line) + 2 :]
    if not isinstance(header, dict) or header.get("sha256") != hashlib.sha256(content).hexdigest():
        raise ValueError("its content differs from its SHA-256")
    return header, content


def mark(
    *described: Any, model: nn.Module | None = None, arrays: Mapping[str, NDArray[Any]] = MappingProxyType({})
) -> str:
    """Return the SHA-256 (64 hex digits) of all that some work depends on.

    Parameters
    ----------
    described
        Names, numbers and settings: JSON, or what ``str`` describes in full.
    model
        A network, which counts by its class and all its weights and buffers.
    arrays
        Data by name, of any shapes and dtypes.
    """
    import numpy as np  # here, since jobs that compute nothing start without it

    digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode())
    for name, array in (*(_weights(model) if model is not None else ()), *arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _weights(model: nn.Module) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield weights and buffers as bytes, since numpy lacks some of torch's dtypes."""
    import torch

    for name, tensor in sorted(model.state_dict().items()):
        plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        yield f"{type(model).__name__} {name} {tensor.dtype} {tuple(tensor.shape)}", plain


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as bytes from which :func:`unpacked` reads them."""
    import numpy as np

    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def unpacked(content: io.BytesIO) -> Arrays:
    """Read arrays by name. Nothing in the content can be executed.

    Raises
    ------
    ValueError, zipfile.BadZipFile
        It holds something else than plain arrays.
    """
    import numpy as np

    with np.load(content, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it holds something else than arrays")
    return arrays


def discard(folder: Path) -> None:
    """Remove the half-finished work of a result that is finished now, given its keyed folder."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
