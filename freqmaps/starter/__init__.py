"""Starts of jobs in tens of milliseconds: each is forked from a process that has imported torch and the others.

A study has a hundred jobs, and each, started anew, spends one or two seconds of the processor importing libraries.
:func:`start` puts a ``python`` into a folder of its own. That is a small client (``client.py``): it hands its command
line, environment, working directory and open files to a server (``server.py``), which forks a process for them, and it
ends as that process ends. Nothing of this package is imported before the fork, so that a job runs the code as it
stands. Programs that the server does not know, and all programs if the server is gone, are run by Python itself.

Jobs of one machine only: those that a cluster dispatches are started where they run.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

DECIDES_NUMBERS = False

#: What jobs import; none of the package.
LIBRARIES = (
    "torch", "torch.export", "torch.utils.flop_counter", "torch.fx.experimental.optimization", "torchvision", "numpy",
    "safetensors.torch", "xarray", "zarr", "pandas", "scipy.linalg", "scipy.stats", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "PIL.Image", "jinja2", "psutil", "tqdm",
    "jsonschema", "yaml", "foolbox",
)  # fmt: skip
#: The modules that a client hands over after ``-m``; scripts in a folder ``workflow_scripts`` always are.
MODULES = ("freqmaps.cli",)
#: Fewer jobs than this do not repay the server's imports.
FEWEST_JOBS = 4
# What Linux allows: the address of a socket, and the first line of a program.
_LONGEST_ADDRESS, _LONGEST_FIRST_LINE = 100, 250


def start(
    libraries: Sequence[str] = LIBRARIES, modules: Sequence[str] = MODULES, *, itself: bool = False
) -> Path | None:
    """Start a server, and return the folder of the ``python`` that asks it.

    The server ends with this process, or with the last program that it has started. It imports the libraries when this
    function has returned already; the first client waits for it.

    Parameters
    ----------
    libraries
        What it imports; what cannot be imported is passed over.
    modules
        The modules that its ``python`` hands over after ``-m``.
    itself
        Whether the forked programs take that ``python`` for their interpreter (``sys.executable``), so that what they
        start is forked too.

    Returns
    -------
    Path or None
        To be put before all others into ``PATH``. None where forking does not work: not on Linux, no temporary folder
        with a short enough path, or an interpreter whose path the first line of a program cannot name; and where this
        process's Python is a starter's already.
    """
    if (Path(sys.executable).parent.parent / "socket").is_socket():
        return None
    first_line = f"#!{sys.executable} -IS\n"
    if sys.platform != "linux" or " " in sys.executable or len(first_line) > _LONGEST_FIRST_LINE:
        return None
    try:
        folder = Path(tempfile.mkdtemp(prefix="freqmaps-starter-"))
    except OSError:
        return None
    if len(str(folder)) > _LONGEST_ADDRESS:
        folder.rmdir()
        return None
    program = folder / "bin" / "python"
    program.parent.mkdir()
    program.write_text(first_line + (Path(__file__).parent / "client.py").read_text(encoding="utf-8"), encoding="utf-8")
    program.chmod(0o755)
    (folder / "modules").write_text("\n".join(modules), encoding="utf-8")
    ready, listening = os.pipe()
    server = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).parent / "server.py"), str(folder), str(listening),
         str(program) if itself else sys.executable, *libraries],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[listening], start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
    )  # fmt: skip
    os.close(listening)
    os.read(ready, 1)  # it listens, or has ended: then clients run Python itself
    os.close(ready)
    atexit.register(_stop, server, folder, os.getpid())
    return program.parent


def _stop(server: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    """Have the server end as soon as no program of it runs; what runs goes on, as it would without a server."""
    if os.getpid() != owner:  # a process that this one has forked
        return
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(2)
        shutil.rmtree(folder, ignore_errors=True)
