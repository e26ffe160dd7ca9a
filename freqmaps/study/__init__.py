"""From a config to a graph of results: which exist, which are due, and why. Imports no numeric library."""

DECIDES_NUMBERS = False
