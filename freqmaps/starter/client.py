"""The ``python`` beside a server: hands a known program over to it; Python itself runs all others.

Copied by :func:`freqmaps.starter.start` below a first line that names the interpreter. It must start fast: no imports
but these, and nothing of the package.
"""

import array
import json
import os
import signal
import socket
import sys

#: A message from the server is a status, as :func:`os.waitstatus_to_exitcode` has it.
STATUS_BYTES = 4
#: The signals that the program is to have.
PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT)


def is_known(words: list[str], folder: str) -> bool:
    """Whether the server runs a command line: a script of the workflow, or a module that it was told."""
    if words[:1] == ["-m"]:
        with open(f"{folder}/modules", encoding="utf-8") as modules:
            return words[1:2] != [] and words[1] in modules.read().split()
    script = words[0] if words else ""
    return script.endswith(".py") and os.path.basename(os.path.dirname(script)) == "workflow_scripts"


def hand_over(words: list[str], folder: str) -> socket.socket:
    """Send the server what it needs to run a program as if it had been started here."""
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{folder}/socket")
    told = json.dumps([words, os.getcwd(), dict(os.environ)]).encode("utf-8", "surrogateescape")
    files = array.array("i", [0, 1, 2])
    server.sendmsg([len(told).to_bytes(8, "little")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    server.sendall(told)
    return server


def pass_signals(server: socket.socket) -> None:
    """Send what this process is told on to the program; it stops and goes on with it."""

    def stop(*_: object) -> None:
        server.sendall(bytes([signal.SIGSTOP]))
        os.kill(os.getpid(), signal.SIGSTOP)

    for number in PASSED:
        signal.signal(number, lambda given, frame: server.sendall(bytes([given])))
    signal.signal(signal.SIGTSTP, stop)


def main() -> None:
    """Run a command line, and end as it ends."""
    words, folder = sys.argv[1:], os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    waiting = signal.pthread_sigmask(signal.SIG_BLOCK, {*PASSED, signal.SIGTSTP})
    try:
        server = hand_over(words, folder) if is_known(words, folder) else None
    except OSError:  # the server is gone
        server = None
    if server is None:
        signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
        os.execv(sys.executable, [sys.executable, *words])
    pass_signals(server)
    signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
    status = b""
    while len(status) < STATUS_BYTES:
        part = server.recv(STATUS_BYTES - len(status))
        if not part:
            sys.exit("the process that starts jobs has ended before this job; run the same target again")
        status += part
    code = int.from_bytes(status, "little", signed=True)
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):  # which nobody can catch
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
