"""The default config, and changes of it."""

from freqmaps.study import config
from tests.workflow import REPOSITORY

#: Shuffling within rings of frequency needs the Fourier basis, and would refuse another one first.
ANY_BASIS = {"random-bands": {"kind": "same_class"}}


def base():
    return config.read_files([REPOSITORY / "config.yaml"])


def changed(**changes):
    built = base()
    config.merge(built, changes)
    return built


def in_run(**changes):
    built = base()
    built["runs"][0] |= changes
    return built
