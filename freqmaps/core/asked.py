"""The process that checks networks and components of a config with torch, so that reading a study need not import it.

``python -m freqmaps.core.asked`` reads questions from standard input, a JSON list of pairs of a module that has a
``main`` and the text of its question, and prints a JSON list of answers (:class:`Answer`) of the same length.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError, one_sentence

DECIDES_NUMBERS = False


#: What a line of standard error starts with that whoever asked shows to the user.
NOTE = "note: "
#: Exit status of a question that this machine cannot answer.
UNANSWERED = 3


#: What a machine that only plans may lack; where a run needs timm, its component says so.
_PERHAPS_ELSEWHERE = ("torch", "timm")


class Answer(NamedTuple):
    """The exit status that a question alone would have: 0, 1 with a sentence, or ``UNANSWERED``."""

    status: int
    sentence: str = ""


def answer(main: Callable[[str], None]) -> None:
    """Run a module's ``main`` on the question of the command line; one sentence and status 1 if it raises."""
    reply = tried(main, sys.argv[1])
    if reply.status:
        print(reply.sentence, file=sys.stderr)
        sys.exit(reply.status)


def tried(main: Callable[[str], None], question: str) -> Answer:
    """Run a module's ``main`` on a question."""
    try:
        main(question)
    except FreqmapsError as error:
        return Answer(1, str(error))
    except (Exception, SystemExit) as error:  # a script of the user's own may end the process when it is imported
        return Answer(UNANSWERED if _is_this_machines(error) else 1, one_sentence(error))
    return Answer(0)


def _is_this_machines(error: BaseException) -> bool:
    """Whether a machine without torch, a GPU or memory asks for what another one, where jobs run, may well do."""
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and error.name in _PERHAPS_ELSEWHERE):
        return True
    if not isinstance(error, RuntimeError | AssertionError) or "torch" not in sys.modules:
        return False
    from freqmaps.core.device import is_out_of_memory

    no_gpu = any(word in str(error).lower() for word in ("nvidia driver", "not compiled with cuda", "no cuda gpus"))
    return no_gpu or is_out_of_memory(error)


def main(question: str) -> None:
    """Call the ``CHECK`` that a component names, and build it with its parameters, or import it if it is computed.

    An attack's ``check_classes`` is asked, too, where it has one and the number of classes is known. With ``kind``
    ``check`` there is nothing more than the ``CHECK``, which ``name`` is.

    Raises
    ------
    FreqmapsError
        It cannot be built, or not for this many classes.
    """
    asked = json.loads(question)
    kind, name, parameters = asked["kind"], asked["name"], asked["parameters"]
    if kind in ("settings", "check"):
        components.call(name, parameters)
        return
    component = components.find(kind, name)
    if not components.is_built(kind):
        _computed(component, parameters)
    if "CHECK" in component.constants:
        components.call(component.constants["CHECK"], parameters)
    if components.is_built(kind):
        check = getattr(getattr(_built(component, parameters), "attack", None), "check_classes", None)
        if check is not None and asked["classes"]:
            check(asked["classes"])


def _built(component: components.Component, parameters: Mapping[str, Any]) -> Any:
    """Build a component; what a library raises without saying what it was given is told that."""
    try:
        return components.load(component.kind, component.name)(**parameters)
    except FreqmapsError:
        raise
    except Exception as error:
        if not str(error).strip():
            given = json.dumps(components.current(component, parameters))
            error.add_note(f"raised for {component.kind} '{component.name}' with {given}; correct these")
        raise


#: What a component that is computed is given before its own parameters, and by name beside them.
_GIVEN: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "metric": (2, ("seed",)), "evaluation": (2, ("seed",)), "simulation": (0, ("seed",)), "corruption": (3, ()),
    "item": (1, ()),
}  # fmt: skip


def _computed(component: components.Component, parameters: Mapping[str, Any]) -> None:
    """Import a component that is computed, and see that it takes what it will be given."""
    function = components.load(component.kind, component.name)
    positional, named = _GIVEN[component.kind]
    inspect.signature(function).bind(*[None] * positional, **dict.fromkeys(named), **parameters)


def answer_all() -> None:
    """Answer the questions on standard input; whatever they print goes to standard error."""
    questions = json.loads(sys.stdin.read())
    answers, sys.stdout = sys.stdout, sys.stderr
    replies = [list(tried(partial(_put, module), question)) for module, question in questions]
    print(json.dumps(replies), file=answers)


def _put(module: str, question: str) -> None:
    importlib.import_module(module).main(question)


if __name__ == "__main__":
    answer_all()
