"""Jobs that are forked from a process with the libraries imported are the processes that Python would have started."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from freqmaps import starter as product
from tests import starter

SCRIPT = """
import json, os, random, signal, sys, tempfile, threading
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "path": sys.path[0], "environment": dict(os.environ),
    "input": sys.stdin.read() if not sys.stdin.isatty() else None, "terminal": os.isatty(2),
    "main": __name__, "file": __file__, "package": [n for n in sys.modules if n.startswith("freqmaps")],
    "torch": "torch" in sys.modules, "threads": threading.active_count(), "temporary": tempfile.gettempdir(),
    "files": sorted(os.listdir("/proc/self/fd")), "process": os.getpid(), "umask": os.umask(0o22),
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "ignored": [n for n in range(1, 32) if signal.getsignal(n) is signal.SIG_IGN],
}))
"""


@pytest.fixture
def program(tmp_path):
    """Return a function that writes a script of the workflow and returns its path."""

    def written(text: str, name: str = "script") -> str:
        path = tmp_path / "workflow_scripts" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return written


def run(*words: str, python: str | Path | None = None, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python or starter.python()), *words], text=True, capture_output=True, check=False, timeout=120, **options
    )


def test_a_forked_program_finds_what_one_started_anew_finds(program, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": "/nowhere",
        "GIVEN": "ä\udcff",
        "TMPDIR": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }
    line = [program(SCRIPT), "one", "two words", "ü\udcfe"]
    forked, anew = (
        json.loads(run(*line, python=p, cwd=tmp_path, env=environment, input="text").stdout)
        for p in (starter.python(), sys.executable)
    )
    assert forked.pop("torch") and not anew.pop("torch")
    assert forked.pop("process") != anew.pop("process")
    assert forked["package"] == []
    assert forked == anew


def test_its_name_is_what_it_runs(program):
    assert run(program("print(open('/proc/self/comm').read())", "maps")).stdout.strip() == "maps"


def test_its_terminal_is_the_callers(program):
    ours, its = pty.openpty()
    done = subprocess.run(
        [starter.python(), program("import os, sys; sys.exit(3 + os.isatty(2))")], stderr=its, check=False
    )
    os.close(ours)
    os.close(its)
    assert done.returncode == 4


@pytest.mark.parametrize(
    ("text", "code", "error"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('a sentence')", 1, "a sentence\n"),
        ("raise ValueError('of no use')", 1, "ValueError: of no use\n"),
        ("import os; os._exit(9)", 9, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11, ""),
        ("import atexit, sys; atexit.register(lambda: print('at the end', file=sys.stderr))", 0, "at the end\n"),
        ("import threading, time, sys; say = lambda: (time.sleep(.2), print('late', file=sys.stderr));"
         "threading.Thread(target=say).start()", 0, "late\n"),
    ],
)  # fmt: skip
def test_it_ends_as_it_would_have_ended(program, text, code, error):
    forked, anew = (run(program(text), python=python) for python in (starter.python(), sys.executable))
    assert forked.returncode == anew.returncode == code
    assert forked.stderr.endswith(error) and anew.stderr.endswith(error)


def test_other_programs_are_run_by_python_itself():
    assert run("-c", "import sys; print('torch' in sys.modules)").stdout == "False\n"
    assert "usage" in run("-m", "json.tool", "--help").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_it(program, number, tmp_path):
    ready = tmp_path / "ready"
    text = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([starter.python(), program(text)])
    _wait_for(ready.exists)
    process.send_signal(number)
    assert process.wait(20) == 42


def test_it_stops_and_goes_on_with_its_client(program, tmp_path):
    counted = tmp_path / "count"
    # A byte at a time: a text that is written anew is empty for a moment, in which the process may be stopped.
    text = f"""import time
with open({str(counted)!r}, "ab", buffering=0) as file:
    for _ in range(3000):
        file.write(b"."); time.sleep(.02)
"""
    # In a session of its own, since the kernel lets stopped processes of a group without a shell go on.
    process = subprocess.Popen([starter.python(), program(text)], start_new_session=True)
    _wait_for(counted.exists)
    process.send_signal(signal.SIGTSTP)
    _wait_for(lambda: _same_twice(counted))
    process.send_signal(signal.SIGCONT)
    before = counted.stat().st_size
    _wait_for(lambda: counted.stat().st_size > before)
    process.kill()
    process.wait(20)


def test_it_is_killed_with_its_client(program, tmp_path):
    own = tmp_path / "process"
    text = f"import os, pathlib, time\npathlib.Path({str(own)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    process = subprocess.Popen([starter.python(), program(text)])
    _wait_for(lambda: own.exists() and own.read_text())
    process.kill()
    _wait_for(lambda: not _is_alive(int(own.read_text())))
    assert process.wait(20) == -signal.SIGKILL


OWNER = """
import pathlib, subprocess, sys, time
from freqmaps import starter
folder = starter.start(["json"], [])
subprocess.Popen([folder / "python", sys.argv[1]])
print(folder, flush=True)
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(.05)
"""


def test_without_its_server_a_program_is_run_by_python(tmp_path, program):
    owner, folder = _owner(program, tmp_path)
    process = _process_of(tmp_path)
    server = int(Path(f"/proc/{process}/stat").read_text().split()[3])
    os.kill(server, signal.SIGKILL)
    _wait_for(lambda: not _is_alive(process))  # and nothing that it started goes on
    assert run(program("print('as ever')", "other"), python=folder / "python").stdout == "as ever\n"
    (tmp_path / "end").touch()
    assert owner.wait(20) == 0
    assert not folder.parent.exists()


def test_what_runs_goes_on_when_its_starter_ends_and_nothing_is_left_then(tmp_path, program):
    owner, folder = _owner(program, tmp_path, seconds=3)
    process = _process_of(tmp_path)
    (tmp_path / "end").touch()
    assert owner.wait(20) == 0
    assert _is_alive(process)
    _wait_for(lambda: (tmp_path / "done").exists())
    _wait_for(lambda: not _is_alive(process) and not folder.parent.exists())


def test_a_starter_without_work_leaves_nothing(tmp_path):
    text = "from freqmaps import starter\nprint(starter.start())"
    folder = Path(run("-c", text, python=sys.executable).stdout.strip())
    assert folder.name == "bin" and not folder.parent.exists()


def test_threads_of_torch_are_those_of_the_environment(program):
    text = "import torch; print(torch.get_num_threads())"
    for count in ("1", "2"):
        assert run(program(text), env=os.environ | {"OMP_NUM_THREADS": count}).stdout == f"{count}\n"


def test_where_forking_does_not_work_there_is_no_starter(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert product.start() is None
    monkeypatch.undo()
    far = tmp_path / ("a" * 100)
    far.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(far))
    assert product.start() is None
    assert list(far.iterdir()) == []


def _owner(program, folder: Path, seconds: float = 60) -> tuple[subprocess.Popen[str], Path]:
    """Start a process with a starter, and a program of it; it ends when there is a file ``end``."""
    text = (
        f"import os, pathlib, time\npathlib.Path({str(folder / 'process')!r}).write_text(str(os.getpid()))\n"
        f"time.sleep({seconds})\npathlib.Path({str(folder / 'done')!r}).touch()"
    )
    line = [sys.executable, "-c", OWNER, program(text), str(folder / "end")]
    owner = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    with owner.stdout as printed:
        return owner, Path(printed.readline().strip())


def _process_of(folder: Path) -> int:
    own = folder / "process"
    _wait_for(lambda: own.exists() and own.read_text())
    return int(own.read_text())


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def _same_twice(file: Path) -> bool:
    before = file.stat().st_size
    time.sleep(0.3)
    return before > 0 and file.stat().st_size == before


def _wait_for(holds, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
