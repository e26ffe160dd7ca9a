"""The ``python`` of the tests: its programs, Snakemake too, are forked from a process that has imported the libraries.

A study of the tests has dozens of jobs, and each, started anew, spends most of its time importing. Tests that measure
processes (seconds, memory) or kill them start theirs anew.
"""

from __future__ import annotations

import functools
from pathlib import Path

from freqmaps import starter

#: What Snakemake imports, beside what jobs do.
SNAKEMAKE = ("snakemake.cli", "snakemake.api", "snakemake.workflow", "snakemake.executors.local",
             "snakemake_logger_plugin_rich")  # fmt: skip


@functools.cache
def python() -> Path:
    """Return the ``python`` of this process's server, which starts when it is first asked for."""
    folder = starter.start([*starter.LIBRARIES, *SNAKEMAKE], [*starter.MODULES, "snakemake"], itself=True)
    assert folder is not None, "no server could be started"
    return folder / "python"
