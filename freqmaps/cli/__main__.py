"""``python -m freqmaps.cli``."""

from freqmaps.cli import main

DECIDES_NUMBERS = False

if __name__ == "__main__":
    main()
