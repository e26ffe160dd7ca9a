"""freqmaps: which frequencies a classifier needs, which an attack uses, and how the two are related."""

from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


report: "report/workflow.md"


include: "rules/common.smk"
include: "rules/datasets.smk"
include: "rules/training.smk"
include: "rules/attacks.smk"
include: "rules/maps.smk"
include: "rules/group_maps.smk"
include: "rules/matrices.smk"
include: "rules/correlation.smk"
include: "rules/evaluation.smk"
include: "rules/items.smk"
include: "rules/atlas.smk"
include: "rules/report.smk"


localrules:
    all,
    stores,


rule all:
    default_target: True
    input:
        REPORT,
        REPORT_STAMP,
        ATLAS_FILES,
        current(STUDY.items.values()),


rule stores:
    input:
        results_of(STUDY.graph.nodes.values()),
