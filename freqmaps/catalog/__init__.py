"""What lies under a results root: found, listed, opened, and checked."""

from freqmaps.catalog.results import Results
from freqmaps.catalog.scan import Found, scan

DECIDES_NUMBERS = False

__all__ = ["Found", "Results", "scan"]
