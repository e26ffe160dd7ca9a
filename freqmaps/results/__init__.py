"""What lies under a results root: found, listed, read, and checked."""

from freqmaps.results.notebook import Results
from freqmaps.results.scan import Found, scan

DECIDES_NUMBERS = False

__all__ = ["Found", "Results", "scan"]
