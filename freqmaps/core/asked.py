"""Questions that only a process with torch can answer: what it prints, and with which exit status, for who asked.

``python -m freqmaps.core.asked '{"kind": "attack", "name": "pgd", "parameters": {...}, "classes": 10}'`` builds a
component and exits with 1 and one sentence on standard error if that fails.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError, told

DECIDES_NUMBERS = False


def answer(main: Callable[[str], None]) -> None:
    """Run a module's ``main`` on the question of the command line; one sentence and status 1 if it raises."""
    try:
        main(sys.argv[1])
    except FreqmapsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        print(told(error), file=sys.stderr)
        sys.exit(1)


def main(question: str) -> None:
    """Build a component with its parameters; an attack's ``check_classes`` is asked, too, where it has one.

    Raises
    ------
    FreqmapsError
        It cannot be built, or not for this many classes.
    """
    asked = json.loads(question)
    built = components.load(asked["kind"], asked["name"])(**asked["parameters"])
    check = getattr(getattr(built, "attack", None), "check_classes", None)
    if check is not None:
        check(asked["classes"])


if __name__ == "__main__":
    answer(main)
