"""A cluster's profile where there is no cluster is one sentence at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.small_study import write_studies
from tests.workflow import SNAKEMAKE, clone


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
