"""A Python whose programs are forked from a process that has imported torch and Snakemake already.

A study of the tests has dozens of jobs, and each, started anew, spends most of its time importing libraries. Here
``python`` is a small client: it hands its command line, environment, working directory and open files to a server,
which forks a process for them, and ends as that process ends. Nothing of the package is imported before the fork, since
each clone has its own. Programs that the server does not know (``python -c``) are run by Python itself.

Tests that measure processes (seconds, memory) or kill them start theirs anew.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

#: What jobs and Snakemake import; none of the package.
PRELOADED = (
    "torch", "torch.export", "torch.utils.flop_counter", "torch.fx.experimental.optimization", "torchvision", "numpy",
    "safetensors.torch", "xarray", "zarr", "pandas", "scipy.linalg", "scipy.stats", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "PIL.Image", "jinja2", "psutil", "tqdm",
    "jsonschema", "yaml", "foolbox", "snakemake.cli", "snakemake.api", "snakemake.workflow",
    "snakemake.executors.local", "snakemake_logger_plugin_rich",
)  # fmt: skip

CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys

words = sys.argv[1:]
known = words[:1] == ["-m"] and words[1:2] in (["snakemake"], ["freqmaps.cli"])
if not known and not (words and "workflow_scripts/" in words[0] and words[0].endswith(".py")):
    os.execv({python!r}, [{python!r}, *words])
there = socket.socket(socket.AF_UNIX)
there.connect({address!r})
told = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
files = array.array("i", [0, 1, 2])
there.sendmsg([len(told).to_bytes(8, "little")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
there.sendall(told)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda given, frame: there.sendall(bytes([given])))
status = b""
while len(status) < 4:
    part = there.recv(4 - len(status))
    if not part:
        sys.exit("the process that forks tests' programs is gone")
    status += part
code = int.from_bytes(status, "little", signed=True)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@functools.cache
def python() -> Path:
    """Return the ``python`` of this process's server, started when it is first asked for."""
    folder = Path(tempfile.mkdtemp(prefix="starter-"))
    address, program = folder / "socket", folder / "bin" / "python"
    program.parent.mkdir()
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    ready, told = os.pipe()
    line = [sys.executable, "-m", "tests.starter", str(address), str(program), str(told)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    server = subprocess.Popen(
        line, stdin=subprocess.PIPE, pass_fds=[told], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(told)
    assert os.read(ready, 1) == b"!", "the server did not start"
    os.close(ready)
    atexit.register(_stop, server, folder)
    return program


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    import shutil

    server.terminate()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


# --- the server


class _Server:
    """Forks a process for each client, tells the client how it ended, and kills it if the client goes away."""

    def __init__(self, address: str) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(address)
        self.listening.listen(64)
        #: The client of each process.
        self.clients: dict[int, socket.socket] = {}
        self.ended, wake = os.pipe()
        os.set_blocking(self.ended, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.wake = wake

    def serve(self) -> tuple[list[str], str, dict[str, str]]:
        """Serve until a process has been forked: return there, and only there, with what it is to run."""
        import selectors

        while True:
            selector = selectors.DefaultSelector()
            for file in (self.listening, self.ended, sys.stdin.buffer, *self.clients.values()):
                selector.register(file, selectors.EVENT_READ)
            found = [key.fileobj for key, _ in selector.select()]
            selector.close()
            if sys.stdin.buffer in found:  # the tests are over
                self._kill_all()
                os._exit(0)
            if self.ended in found:
                os.read(self.ended, 4096)
                self._reap()
            for process, client in list(self.clients.items()):
                if client in found:
                    self._hear(process, client)
            if self.listening in found:
                given = self._accept()
                if given is not None:
                    return given

    def _accept(self) -> tuple[list[str], str, dict[str, str]] | None:
        client, _ = self.listening.accept()
        files = array.array("i")
        head, ancillary, *_ = client.recvmsg(8, socket.CMSG_SPACE(3 * files.itemsize))
        for _, _, data in ancillary:
            files.frombytes(data)
        told, wanted = b"", int.from_bytes(head, "little")
        while len(told) < wanted:
            told += client.recv(wanted - len(told))
        process = os.fork()
        if process:
            for file in files:
                os.close(file)
            self.clients[process] = client
            return None
        self._leave(client)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        words, folder, environment = json.loads(told)
        return words, folder, environment

    def _leave(self, client: socket.socket) -> None:
        """In the forked process: forget the server's files and signals."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for one in (self.listening, client, *self.clients.values()):
            one.close()
        os.close(self.ended)
        os.close(self.wake)
        os.setpgid(0, 0)

    def _reap(self) -> None:
        while self.clients:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            client = self.clients.pop(process, None)
            if client is not None:
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):
                    client.sendall(code.to_bytes(4, "little", signed=True))
                client.close()

    def _hear(self, process: int, client: socket.socket) -> None:
        """Pass a client's signals on; kill the process of one that is gone."""
        if process not in self.clients:
            return
        try:
            heard = client.recv(16)
        except OSError:
            heard = b""
        for number in heard or [signal.SIGKILL]:
            os.kill(process, number)
        if not heard:
            self.clients.pop(process).close()

    def _kill_all(self) -> None:
        for process in self.clients:
            os.kill(process, signal.SIGKILL)


def _run(words: list[str], folder: str, environment: dict[str, str], program: str, base: list[str]) -> None:
    """Run a program as Python would, and end the process as Python does, but for taking all objects apart."""
    import importlib
    import runpy
    import threading

    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = program
    given = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    module = words[0] == "-m"
    sys.path[:] = [folder if module else str(Path(words[0]).resolve().parent), *given, *base]
    importlib.invalidate_caches()
    sys.path_importer_cache.clear()
    code = 0
    try:
        if module:
            sys.argv[:] = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv[:] = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 0 if asked.code is None else 1
        if isinstance(asked.code, str):
            print(asked.code, file=sys.stderr)
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
        if isinstance(sys.exc_info()[1], KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _main() -> None:
    import importlib

    address, program, told = sys.argv[1:]
    own = str(Path(__file__).resolve().parent.parent)
    base = [path for path in sys.path if path not in ("", own)]
    for name in PRELOADED:
        importlib.import_module(name)
    assert not any(name.partition(".")[0] == "freqmaps" for name in sys.modules)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # the collector would copy every page that it looks at into each process
    server = _Server(address)
    os.write(int(told), b"!")
    os.close(int(told))
    words, folder, environment = server.serve()
    _run(words, folder, environment, program, base)


if __name__ == "__main__":
    _main()
