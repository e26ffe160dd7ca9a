"""Evaluations: what a network does with images, filtered or attacked; one per file."""

from freqmaps.evaluation._api import Evaluated, Network, Networks, checked

__all__ = ["Evaluated", "Network", "Networks", "checked"]
