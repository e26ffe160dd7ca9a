"""freqmaps: which frequencies a classifier needs, which an attack uses, and how the two are related."""

from snakemake.utils import min_version

min_version("9.27")


include: "rules/config.smk"


configfile: "config.yaml"


report: "report/workflow.md"


include: "rules/common.smk"
include: "rules/results.smk"
include: "rules/targets.smk"


# `default_target:` counts in this file only, and `all` is one of a loop's rules in an included one.
workflow.default_target = "all"
