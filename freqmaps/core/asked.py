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


#: What a line of standard error starts with that whoever asked shows to the user.
NOTE = "note: "
#: Exit status of a question that this machine cannot answer.
UNANSWERED = 3


def answer(main: Callable[[str], None]) -> None:
    """Run a module's ``main`` on the question of the command line; one sentence and status 1 if it raises."""
    try:
        main(sys.argv[1])
    except FreqmapsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        print(told(error), file=sys.stderr)
        sys.exit(UNANSWERED if _is_this_machines(error) else 1)


def _is_this_machines(error: Exception) -> bool:
    """Whether a machine without torch, a GPU or memory asks for what another one, where jobs run, may well do."""
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and error.name == "torch"):
        return True
    if not isinstance(error, RuntimeError | AssertionError) or "torch" not in sys.modules:
        return False
    from freqmaps.core.device import is_out_of_memory

    no_gpu = any(word in str(error).lower() for word in ("nvidia driver", "not compiled with cuda", "no cuda gpus"))
    return no_gpu or is_out_of_memory(error)


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
