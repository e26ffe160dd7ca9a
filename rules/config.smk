"""Config files, looked at before Snakemake reads them: it would say nothing of a key given twice, and no line."""

import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from freqmaps.core.errors import FreqmapsError
from freqmaps.study.config import read_files


def refuse(error):
    """End with one sentence, where an exception would add to it the places of this code that raised it."""
    logger.error(f"Error: {error}")
    sys.exit(1)


OVERLAYS = workflow.overwrite_configfiles
if workflow.is_main_process:
    try:
        read_files(
            ["config.yaml"] * (Path("config.yaml").exists() or not OVERLAYS)
            + list(OVERLAYS)
        )
    except FreqmapsError as error:
        refuse(error)
