"""A cluster's profile where there is no cluster is one sentence at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_study import write_studies
from tests.workflow import SNAKEMAKE, clone

TEXT = "#!/bin/sh\n{}\n"


def with_commands(folder, ping):
    """Run the profile where SLURM's commands are, of which only ``scontrol ping`` says or does anything."""
    write_studies(clone(folder / "lab"))
    tools = folder / "bin"
    tools.mkdir()
    for name, does in {"sbatch": "exit 1", "scontrol": ping}.items():
        (tools / name).write_text(TEXT.format(does))
        (tools / name).chmod(0o755)
    environment = os.environ | {"PATH": os.pathsep.join([str(tools), os.environ["PATH"]])}
    words = [*SNAKEMAKE, "--profile", "slurm", "all", "--configfile", "small.yaml"]
    return subprocess.run(
        words, cwd=folder / "lab", env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("ping", "said"),
    [
        ("echo 'Slurmctld(primary) at head is DOWN'; echo '****'; exit 1", "('Slurmctld(primary) at head is DOWN')"),
        ("sleep 100", "('no answer in 10 s')"),
    ],
)
def test_a_controller_that_does_not_answer_is_one_sentence_in_seconds(ping, said, tmp_path):
    start = time.monotonic()
    done = with_commands(tmp_path, ping)
    assert done.returncode == 1
    assert f"Error: SLURM's controller cannot be reached from this machine {said}: start Snakemake on a" in done.stderr
    assert "Traceback" not in done.stderr and " in file " not in done.stderr
    assert time.monotonic() - start < 50  # sbatch tries for 64 s
    assert not list((tmp_path / "lab" / ".snakemake" / "locks").glob("*"))


def test_the_profile_of_a_cluster_without_its_commands_is_one_sentence_at_once(tmp_path):
    folder, tools = clone(tmp_path / "lab"), tmp_path / "bin"
    write_studies(folder)
    tools.mkdir()
    absent = ("sbatch", "sacct", "squeue", "sinfo", "scancel", "scontrol", "sshare", "srun", "sacctmgr")
    for path in [p for place in ("/usr/bin", "/bin") for p in Path(place).iterdir()]:
        if path.name not in absent and not (tools / path.name).exists() and path.is_file():
            (tools / path.name).symlink_to(path.resolve())
    words = [*SNAKEMAKE, "--profile", "slurm", "all", "--configfile", "small.yaml"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{tools}"}
    start = time.monotonic()
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "no command 'sbatch' on this machine" in text and "leave out --profile slurm" in text
    assert "Traceback" not in text
    assert time.monotonic() - start < 55  # sacct alone was asked for 68 s
    assert not list((folder / "results").rglob("manifest.json"))
