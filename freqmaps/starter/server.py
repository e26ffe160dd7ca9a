"""The server behind the starter's ``python``: imports libraries once, and forks a process for each program.

Run as a script by :func:`freqmaps.starter.start`; it must not import the package, whose code each program reads anew.
"""

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # of Linux's prctl.h


class Server:
    """Forks a process for each client, tells the client how it ended, and kills it if the client goes away.

    Parameters
    ----------
    listening
        The socket at which clients ask.
    """

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        #: The client of each process that runs.
        self.clients: dict[int, socket.socket] = {}
        self._signals, self._wake = os.pipe()
        for end in (self._signals, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def serve(self) -> tuple[list[str], str, dict[str, str]] | None:
        """Serve until no more is to come and all programs have ended.

        Returns
        -------
        tuple or None
            In a forked process, at once: the command line, working directory and environment of what it is to run.
        """
        more = True
        while more or self.clients:
            with selectors.DefaultSelector() as selector:
                asking = (self.listening, sys.stdin.buffer) if more else ()
                for file in (*asking, self._signals, *self.clients.values()):
                    selector.register(file, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in selector.select()]
            if self._signals in ready:
                more = more and signal.SIGTERM not in os.read(self._signals, 4096)
                self._reap()
            if sys.stdin.buffer in ready:  # who started this process has ended
                more = False
            for process, client in list(self.clients.items()):
                if client in ready:
                    self._hear(process, client)
            if more and self.listening in ready:
                program = self._accept()
                if program is not None:
                    return program
        return None

    def _accept(self) -> tuple[list[str], str, dict[str, str]] | None:
        client, _ = self.listening.accept()
        files = array.array("i")
        head, ancillary, *_ = client.recvmsg(8, socket.CMSG_SPACE(3 * files.itemsize))
        for _, _, data in ancillary:
            files.frombytes(data)
        told, size = b"", int.from_bytes(head, "little")
        while len(told) < size and (part := client.recv(size - len(told))):
            told += part
        whole = len(files) == 3 and len(told) == size > 0
        server = os.getpid()
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        process = os.fork() if whole else 0
        if process or not whole:
            for file in files:
                os.close(file)
            if whole:
                self.clients[process] = client
            else:
                client.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
            return None
        self._leave(client, server)
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        words, folder, environment = json.loads(told.decode("utf-8", "surrogateescape"))
        return words, folder, environment

    def _leave(self, client: socket.socket, server: int) -> None:
        """In the forked process: forget the server's files and signals, and end if it ends."""
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for file in (self.listening, client, *self.clients.values()):
            file.close()
        os.close(self._signals)
        os.close(self._wake)
        os.setpgid(0, 0)

    def _reap(self) -> None:
        while self.clients:
            process, status = os.waitpid(-1, os.WNOHANG)
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
            signals = client.recv(16)
        except OSError:
            signals = b""
        for number in signals or [signal.SIGKILL]:
            os.kill(process, number)
        if not signals:
            os.waitpid(process, 0)
            self.clients.pop(process).close()


def run(words: list[str], folder: str, environment: dict[str, str], executable: str, path: list[str]) -> None:
    """Run a program as Python would, and end the process as Python does, but for taking all objects apart."""
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    name = words[1] if words[0] == "-m" else Path(words[0]).stem
    _prctl(_PR_SET_NAME, name.encode())  # what `top` shows
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    _limit_threads(environment.get("OMP_NUM_THREADS", ""))
    sys.executable = executable
    given = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    module = words[0] == "-m"
    sys.path[:] = [folder if module else str(Path(words[0]).resolve().parent), *given, *path]
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
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit_run()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def atexit_run() -> None:
    """Run what libraries have left to be done at the end."""
    import atexit

    atexit._run_exitfuncs()


def _prctl(what: int, value: int | bytes) -> None:
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(what, value)


def _limit_threads(bound: str) -> None:
    """Take over the environment's bound, which torch and BLAS read when they were loaded."""
    if bound.isdecimal() and int(bound) and "torch" in sys.modules:
        import threadpoolctl

        threadpoolctl.threadpool_limits(int(bound))
        sys.modules["torch"].set_num_threads(int(bound))


def main() -> None:
    """Listen, import, serve; in a forked process, run a program."""
    folder, listening_at, executable, *libraries = sys.argv[1:]
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{folder}/socket")
    listening.listen(128)
    os.write(int(listening_at), b"!")
    os.close(int(listening_at))
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [entry for entry in sys.path if entry not in own]
    for name in libraries:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the collector would copy every page that it looks at into each process
    program = Server(listening).serve()
    if program is not None:
        run(*program, executable, path)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
