"""The files in which the classic datasets are published: known by their MD5, downloaded where they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.core.files import whole
from freqmaps.datasets import _files

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Original:
    """One published file.

    Attributes
    ----------
    name
        Its name, under ``root``.
    url
        Where it is published.
    md5
        The published MD5.
    """

    name: str
    url: str
    md5: str


def md5(root: Path, original: Original) -> str:
    """Return the MD5 of the file that lies under ``root``, or the published one of a file that is still to come.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or the file cannot be read.
    """
    if root.exists() and not root.is_dir():
        raise ConfigError(f"root: '{root}' is not a folder; give the folder that holds {original.name}")
    path = root / original.name
    return _files.md5(path) if path.exists() else original.md5


def fetch(root: Path, original: Original) -> Path:
    """Return the file's path under ``root``, downloading it first if it is not there.

    It is downloaded beside its place and appears there whole, its MD5 checked, or not at all.

    Raises
    ------
    FreqmapsError
        It could not be downloaded.
    """
    path = root / original.name
    if path.exists():
        return path
    try:
        from torchvision.datasets.utils import download_url

        root.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary:
            download_url(original.url, str(root), temporary.name, original.md5)
    except (OSError, RuntimeError, ImportError) as error:  # URLError is an OSError
        reason = " ".join(str(error).split())
        raise FreqmapsError(
            f"{original.name} could not be downloaded from {original.url} ({reason}); put the file into '{root}'"
        ) from error
    return path
