"""Archives: chosen results with all inputs that they were made from, as one file for another lab."""

from freqmaps.archive.choose import choose, left_out
from freqmaps.archive.pack import write
from freqmaps.archive.unpack import Import

DECIDES_NUMBERS = False

__all__ = ["Import", "choose", "left_out", "write"]
