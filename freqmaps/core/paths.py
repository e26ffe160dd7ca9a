"""Paths in a config, in which ``~`` and environment variables are expanded."""

from __future__ import annotations

import os
import re
from pathlib import Path

from freqmaps.core.errors import ConfigError

DECIDES_NUMBERS = False

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")


def expanded(path: str, where: str = "") -> Path:
    """Return a path of a config, with ``~``, ``$NAME`` and ``${NAME}`` looked up; relative ones start where one works.

    Parameters
    ----------
    path
        As the config has it.
    where
        What an error starts with.

    Raises
    ------
    ConfigError
        An environment variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not os.environ.get(name):
            raise ConfigError(
                f"{where}'{path}': the environment variable {name} is not set; set it, or write the path out"
            )
        return os.environ[name]

    # A folder may have a dollar sign in its name: what exists is taken as it stands.
    literal = Path(path).expanduser()
    return literal if literal.exists() else Path(_VARIABLE.sub(value, path)).expanduser()
