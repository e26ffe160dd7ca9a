"""A real SLURM cluster of one node, started and stopped by the tests; with accounting where a test asks for it.

SLURM reads its configuration from ``/etc/slurm``: jobs and their steps do not inherit ``SLURM_CONF``. So the cluster is
for machines that have no other, runs as root, and leaves the folder as it found it. The daemons stay in the foreground
as children of the tests and are told to end with them, whatever ends the tests.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from freqmaps.stages import STAGES

CONFIG = Path("/etc/slurm")
MARK = "# Written by the tests of freqmaps.\n"
OURS = ("slurm.conf", "gres.conf", "slurmdbd.conf")
DAEMONS = ("munged", "slurmctld", "slurmd")
ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db")
NODE = "node1"
#: More than the machine has: what jobs ask for is recorded, not used.
MEMORY = "RealMemory=128000"


def why_not(accounting: bool = False) -> str | None:
    """Say why this machine cannot run the cluster, None if it can."""
    if os.geteuid() != 0:
        return "starting SLURM's daemons takes root"
    missing = [d for d in (*DAEMONS, *(ACCOUNTING if accounting else ())) if not shutil.which(d, path=_path())]
    if missing:
        return f"{', '.join(missing)}: not installed (Debian: slurm-wlm munge slurmdbd mariadb-server)"
    foreign = [n for n in OURS if (CONFIG / n).exists() and MARK not in (CONFIG / n).read_text()]
    return f"{CONFIG / foreign[0]}: this machine belongs to a cluster already" if foreign else None


def needed(accounting: bool = False) -> None:
    """Skip the test where the cluster cannot run; with FREQMAPS_REQUIRE_SLURM=1, as in CI, fail instead."""
    reason = why_not(accounting)
    if reason and os.environ.get("FREQMAPS_REQUIRE_SLURM") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(what: str, ready: Callable[[], object], seconds: float = 60.0) -> object:
    """Call until it returns something true."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)
    return found


def slurm(*words: object) -> str:
    """Run one of SLURM's commands and return what it says; nothing if it fails."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""


def jobs(**wanted: str) -> list[dict[str, str]]:
    """Return what the controller knows of all jobs, the finished ones too: scontrol's fields by name, and ``Stage``."""
    found = []
    for line in slurm("scontrol", "--oneliner", "show", "job").splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        named = re.match(rf"rule_({'|'.join(sorted(STAGES, reverse=True))})_", fields.get("Comment", ""))
        fields["Stage"] = named[1] if named else ""
        if named and all(fields.get(name) == value for name, value in wanted.items()):
            found.append(fields)
    return found


def working(folder: Path, stage: str, part: str) -> psutil.Process | None:
    """Return the process of a stage's script that works for a clone and has a word in its command line."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words[1:2] == [f"{folder}/workflow_scripts/{stage}.py"] and part in " ".join(words):
            return process
    return None


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


class Cluster:
    """One node with 2 partitions, the default one and another, and pretended GPUs of type ``toy``.

    Parameters
    ----------
    folder
        For keys, sockets, state and logs of the daemons.
    partitions
        Their names. Both hold the node; that jobs go to the right one is what is tested.
    account
        Whether to keep accounts (slurmdbd on MariaDB), so that ``sacct`` answers: the name of the only one.
    gpus, cpus
        How many it pretends to have: so many jobs run at once.
    """

    def __init__(
        self, folder: Path, *, partitions: tuple[str, str] = ("cpu", "gpu"), account: str = "", gpus: int = 2,
        cpus: int = 16,
    ) -> None:  # fmt: skip
        self.folder, self.partitions, self.account, self.gpus, self.cpus = folder, partitions, account, gpus, cpus
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        # One at a time: all of them are configured in the same folder, whichever process of the tests starts them.
        self.turn = Path(tempfile.gettempdir(), "freqmaps-tests-slurm.lock").open("w")
        fcntl.flock(self.turn, fcntl.LOCK_EX)
        try:
            self._munge()
            self._configure()
            if self.account:
                self._accounts()
            self._daemon("slurmctld", "slurmctld", "-D")
            self._daemon("slurmd", "slurmd", "-D", "-N", NODE)
            wait_for("an idle node", lambda: "idle" in slurm("sinfo", "--noheader", "--format=%t"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            slurm("scancel", "--signal=KILL", "--full", "--user=root")
            for daemon in reversed(self.running):
                _stop(daemon)
        finally:
            for name in OURS:
                (CONFIG / name).unlink(missing_ok=True)
            self.turn.close()

    def stop(self, name: str) -> None:
        """Stop one of the daemons."""
        _stop(next(daemon for daemon in self.running if any(Path(w).name == name for w in daemon.args)))

    def _daemon(self, name: str, *words: object) -> None:
        program = shutil.which(str(words[0]), path=_path())
        line = ["setpriv", "--pdeathsig", "TERM", program, *map(str, words[1:])]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running.append(subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True))

    def _munge(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munged trusts no key or socket below a folder that others may write to
        self.socket, key = self.folder / "munge.socket", self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"key-file": key, "socket": self.socket, "pid-file": self.folder / "munged.pid"}
        files |= {"log-file": self.folder / "munged.txt", "seed-file": self.folder / "munged.seed"}
        self._daemon("munged", "munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items()))
        wait_for("munged", lambda: slurm("munge", "--no-input", f"--socket={self.socket}"))

    def _configure(self) -> None:
        CONFIG.mkdir(exist_ok=True)
        gpus = [self.folder / f"gpu{i}" for i in range(self.gpus)]
        for gpu in gpus:
            gpu.touch()
        (CONFIG / "gres.conf").write_text(MARK + "".join(f"Name=gpu Type=toy File={gpu}\n" for gpu in gpus))
        lines = {
            "ClusterName": "tests", "SlurmctldHost": f"{socket.gethostname()}(127.0.0.1)", "SlurmUser": "root",
            "SlurmctldPort": _port(), "SlurmdPort": _port(), "AuthType": "auth/munge",
            # A requeued job waits until its old credential is out of date: seconds instead of two minutes.
            "AuthInfo": f"socket={self.socket},cred_expire=5", "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none", "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core_Memory",
            "SlurmdParameters": "config_overrides", "GresTypes": "gpu", "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool", "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "slurmd.pid", "MinJobAge": 3600, "KillWait": 30, "ReturnToService": 2,
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=2",
        }  # fmt: skip
        if self.account:
            self.dbd_port = _port()
            lines |= {"AccountingStorageType": "accounting_storage/slurmdbd", "AccountingStorageHost": "127.0.0.1"}
            lines |= {"AccountingStoragePort": self.dbd_port, "AccountingStoragePass": self.socket}
            lines |= {"AccountingStorageTRES": "gres/gpu"}
        text = [f"{key}={value}" for key, value in lines.items()]
        size = f"CPUs={self.cpus} {MEMORY} Gres=gpu:toy:{self.gpus}"
        text.append(f"NodeName={NODE} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 {size}")
        for partition in self.partitions:
            default = "YES" if partition == self.partitions[0] else "NO"
            text.append(f"PartitionName={partition} Nodes={NODE} MaxTime=1-0 Default={default}")
        (CONFIG / "slurm.conf").write_text(MARK + "\n".join(text) + "\n")

    def _accounts(self) -> None:
        """Start MariaDB and slurmdbd, and make the cluster known to them."""
        data, port = self.folder / "mariadb", _port()
        where, talk = [f"--datadir={data}", "--user=root"], f"--socket={self.folder / 'mariadb.socket'}"
        install = ["mariadb-install-db", "--no-defaults", *where, "--auth-root-authentication-method=normal"]
        subprocess.run(install, check=True, capture_output=True, timeout=120)
        network = [f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder / 'mariadb.pid'}"]
        self._daemon("mariadbd", "mariadbd", "--no-defaults", *where, talk, *network, "--skip-name-resolve")
        client = ["mariadb", "--no-defaults", talk, "--user=root", "--execute"]
        wait_for("MariaDB", lambda: slurm(*client, "select 1"))
        user = "slurm@'127.0.0.1'"
        grant = f"create user {user} identified by 'tests'; grant all on slurm_acct_db.* to {user};"
        subprocess.run([*client, grant], check=True, capture_output=True, timeout=30)
        lines = {
            "AuthType": "auth/munge", "AuthInfo": f"socket={self.socket}", "DbdHost": "localhost",
            "DbdAddr": "127.0.0.1", "DbdPort": self.dbd_port, "SlurmUser": "root",
            "StorageType": "accounting_storage/mysql",
            "StorageHost": "127.0.0.1", "StoragePort": port, "StorageUser": "slurm", "StoragePass": "tests",
            "PidFile": self.folder / "slurmdbd.pid",
        }  # fmt: skip
        path = CONFIG / "slurmdbd.conf"
        path.touch(mode=0o600)
        path.write_text(MARK + "".join(f"{key}={value}\n" for key, value in lines.items()))
        self._daemon("slurmdbd", "slurmdbd", "-D")
        wait_for("slurmdbd", lambda: slurm("sacctmgr", "list", "cluster"))
        add = ["sacctmgr", "--immediate", "add"]
        slurm(*add, "cluster", "tests")
        slurm(*add, "account", self.account)
        slurm(*add, "user", "root", f"account={self.account}")
