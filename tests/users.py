"""Real system users for tests: several members of one group, each with an own umask, home and clone."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow import REPOSITORY

TOOLS = ("useradd", "userdel", "groupadd", "groupdel", "setpriv", "unshare")
GROUP = f"fmlab{os.getpid()}"


def missing() -> str | None:
    """Why there can be no other users here."""
    if os.geteuid() != 0:
        return "only root can add system users"
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"no {lacking[0]} on this machine" if lacking else None


@dataclass(frozen=True)
class User:
    """A member of the lab, with the umask that the login shell sets."""

    name: str
    umask: str
    home: Path

    def start(self, folder: Path, *words: object, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a folder as this user, in a session of its own."""
        given = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name, "OMP_NUM_THREADS": "1"}
        given |= {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | environment
        become = f'umask {self.umask}; exec setpriv --reuid={self.name} --regid={self.name} --init-groups -- "$@"'
        line = ["unshare", "--mount", "sh", "-ec", f"{_opened()}{become}", "sh", *map(str, words)]
        return subprocess.Popen(
            line, cwd=folder, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def run(self, folder: Path, *words: object, check: bool = True, **environment: str) -> tuple[int, str]:
        """Run a command to its end; return its exit status and all it printed."""
        process = self.start(folder, *words, **environment)
        text = finish(process)
        if check and process.returncode:
            raise AssertionError(f"{self.name}: {shlex.join(map(str, words))} failed:\n{text[-6000:]}")
        return process.returncode, text

    def owns(self, folder: Path) -> None:
        """Give a folder, and all in it, to this user, with the modes that the umask leaves."""
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, self.name, self.name)
            path.chmod((0o777 if path.is_dir() else 0o666) & ~int(self.umask, 8))


def finish(process: subprocess.Popen[str], timeout: float = 300) -> str:
    """Wait for a command and return what it printed; end it, with all it started, if it takes too long."""
    try:
        return process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        stop(process)
        raise


def stop(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> str:
    """End a command with all it started, as it stands."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    return process.communicate(timeout=60)[0]


@contextmanager
def members(**umasks: str) -> Iterator[tuple[Path, list[User]]]:
    """Add users of one group, and a folder that all of them can enter; remove both at the end."""
    base = Path(tempfile.mkdtemp(prefix="freqmaps-users-"))
    base.chmod(0o755)
    users = [User(f"fm{name}{os.getpid()}", umask, base / f"home-{name}") for name, umask in umasks.items()]
    try:
        _run("groupadd", GROUP)
        for user in users:
            _run("useradd", "--user-group", "--groups", GROUP, "--create-home", "--home-dir", user.home, user.name)
        yield base, users
    finally:
        for user in users:
            _run("userdel", user.name, check=False)
        _run("groupdel", GROUP, check=False)
        shutil.rmtree(base, ignore_errors=True)


def needed_users() -> None:
    """Skip where there can be no users, or fail if FREQMAPS_REQUIRE_USERS says that they are expected."""
    why = missing()
    if why is None:
        return
    if os.environ.get("FREQMAPS_REQUIRE_USERS") == "1":
        pytest.fail(f"FREQMAPS_REQUIRE_USERS is set, but {why}")
    pytest.skip(why)


def _run(*words: object, check: bool = True) -> None:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{words[0]}: {done.stderr}")


def _opened() -> str:
    """Shell lines that let every user reach Python and the package, for one process: often they lie below /root.

    In a mount namespace of its own, a closed folder is covered by an open one that holds only what is needed.
    """
    needed = sorted(
        {Path(p).resolve() for p in (sys.base_prefix, sys.prefix, *sys.path, REPOSITORY) if Path(p).exists()}
    )
    closed = {p: above for p in needed if (above := _closed(p))}
    if not closed:
        return ""
    tops = [p for p in closed if not any(q in p.parents for q in closed)]
    lines = ["mount --make-rprivate /", "kept=$(mktemp -d)"]
    for number, path in enumerate(tops):
        lines += [f"mkdir $kept/{number}", f"mount --rbind {shlex.quote(str(path))} $kept/{number}"]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(p))}" for p in sorted(set(closed.values()))]
    for number, path in enumerate(tops):
        quoted = shlex.quote(str(path))
        lines += [f"mkdir -p {quoted}", f"mount --move $kept/{number} {quoted}"]
    lines.append("rm -r $kept")
    return "umask 022\n" + "\n".join(lines) + "\n"


def _closed(path: Path) -> Path | None:
    """The outermost folder above a path that others may not enter."""
    return next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)
