"""The command line: plan, why, gc, list, catalog, verify, claims, summary, export, import, digest, config and more."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from freqmaps.cli import archive, results, study
from freqmaps.core.errors import FreqmapsError

DECIDES_NUMBERS = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; errors are one sentence and exit status 1."""
    options = parser().parse_args(arguments)
    try:
        sys.exit(options.run(options))
    except FreqmapsError as error:
        print(f"freqmaps: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("freqmaps: interrupted (Ctrl-C)", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each module of this package adds its own."""
    whole = argparse.ArgumentParser(prog="freqmaps", description=__doc__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for module in (study, results, archive):
        module.add_commands(commands)
    return whole
