"""Whether jobs can be sent to SLURM from this machine, asked before the first one is."""

from __future__ import annotations

import shutil
import subprocess

from freqmaps.core.errors import ConfigError

DECIDES_NUMBERS = False

#: Seconds for the controller's answer, which takes milliseconds; `sbatch` itself tries for a minute.
PATIENCE = 10.0


def check() -> None:
    """Refuse a machine without SLURM's commands, and one whose controller does not answer.

    Raises
    ------
    ConfigError
        There is no ``sbatch``, or ``scontrol ping`` finds no controller that is up.
    """
    if not shutil.which("sbatch"):
        raise ConfigError(
            "no command 'sbatch' on this machine: start Snakemake where SLURM's commands are, on a cluster's login "
            "node, or leave out --profile slurm (docs/cluster.md)"
        )
    if not shutil.which("scontrol"):
        return  # a site may keep it from its users
    try:
        done = subprocess.run(
            ["scontrol", "ping"], capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
        )
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        said = f"no answer in {PATIENCE:.0f} s"
    if " UP" not in said:
        # Advice in asterisks follows a controller that is down; of errors the last one says why.
        lines = [line for line in said.splitlines() if line.strip() and "**" not in line] or ["no answer"]
        raise ConfigError(
            f"SLURM's controller cannot be reached from this machine ('{lines[-1]}'): start Snakemake on a login node "
            "of a cluster that is up, or leave out --profile slurm (docs/cluster.md)"
        )
