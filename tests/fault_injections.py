"""What is done to a job's process before its script starts, so that it meets a fault."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

#: Calls after which a file system holds something else: the moments at which a death can matter.
_CALLS = ("replace", "rename", "unlink")
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION = 0x20080522


def watch(note: Path) -> None:
    """Write down every rename and removal that the job makes, by the file's name."""
    _wrap(lambda _number, what: note.open("a").write(f"{what}\n"), lambda *_: None)


def die_at(moment: int) -> None:
    """Kill the process just before (even) or just after (odd) rename or removal number ``moment // 2``."""

    def die(number: int, _what: str, after: bool) -> None:
        if number * 2 + after == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    _wrap(lambda n, what: die(n, what, False), lambda n, what: die(n, what, True))


def lose(root: Path, away: Path, number: int) -> None:
    """Take the results root away, as unmounting does, just before rename or removal ``number``."""
    _wrap(lambda n, _what: root.rename(away) if n == number else None, lambda *_: None)


def _wrap(before: Callable[[int, str], object], after: Callable[[int, str], object]) -> None:
    count, lock, here = [0], threading.Lock(), str(Path.cwd() / "results")

    def wrapped(call: Callable[..., None], name: str) -> Callable[..., None]:
        def one(*paths: object, **options: object) -> None:
            # Only results: libraries and fingerprints of raw files have caches elsewhere.
            place = str(Path.cwd() / os.fspath(paths[-1])) if "dir_fd" not in options else ""
            if not place.startswith(here) or threading.get_ident() in inside:
                return call(*paths, **options)
            with lock:
                number, count[0] = count[0], count[0] + 1
            inside.add(threading.get_ident())  # what the fault itself renames is no moment of the job's
            try:
                before(number, f"{name} {os.path.relpath(place, here)}")
                try:
                    call(*paths, **options)
                finally:  # a file that is not there to be removed is a moment, too
                    after(number, place)
            finally:
                inside.discard(threading.get_ident())

        return one

    inside: set[int] = set()
    for name in _CALLS:
        setattr(os, name, wrapped(getattr(os, name), name))


def limit_files(size: int) -> None:
    """Let no file grow beyond a size: the system refuses the write, as it does on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def obey_permissions() -> None:
    """Take from root the privilege to write where permissions forbid it."""

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    class Data(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))

    libc = ctypes.CDLL(None, use_errno=True)
    header, data = Header(_CAPABILITY_VERSION, 0), (Data * 2)()
    if libc.capget(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capget")
    data[0].effective &= ~(1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH)
    if libc.capset(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capset")


def small_memory(images: int) -> None:
    """Run out of memory when a convolution is asked for more images than these at once."""
    import torch
    from torch import nn

    plain = nn.Conv2d.forward

    def forward(self: nn.Conv2d, batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > images:
            raise torch.OutOfMemoryError(f"out of memory: {len(batch)} images")
        return plain(self, batch)

    nn.Conv2d.forward = forward


def save_often(images: int) -> None:
    """Keep finished maps at once and attack few images together, so that a kill finds work half done."""
    from freqmaps.attacks import _run
    from freqmaps.maps._state import Saved

    Saved.__init__.__defaults__ = (0.0, 1)
    _run._default_batch = lambda _work: images


def save_often_and_die_at(images: int, moment: int) -> None:
    """Both."""
    save_often(images)
    die_at(moment)
