"""The version of freqmaps, which every manifest records."""

DECIDES_NUMBERS = False

__version__ = "0.2.0"
