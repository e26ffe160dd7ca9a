"""From a config to a graph of results: which exist, which have to be made, and why. Imports no numeric library."""

DECIDES_NUMBERS = False
