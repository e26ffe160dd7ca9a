"""How two sets of maps of the same images are related: metrics on paired rows, each with its sampling error."""

from freqmaps.correlation._api import Metric, to_rows

__all__ = ["Metric", "to_rows"]
