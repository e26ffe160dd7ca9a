"""The version of freqmaps, as it stands in every manifest."""

DECIDES_NUMBERS = False

__version__ = "0.2.0"
