"""The report: one self-contained page about the current config, stamped like an item."""

from freqmaps.manifest import sha256

REPORT = f"{SHOWN}/report.html"
TEMPLATES = [f"{workflow.basedir}/report/{name}" for name in ("report.html.j2", "workflow.md")]
# What decides no number decides nothing of the report either.
SHOWN_CONFIG = {k: v for k, v in STUDY.config.items() if k not in ("threads", "device", "results")}
REPORT_KEY = STUDY.report_key([sha256(Path(path)) for path in TEMPLATES], SHOWN_CONFIG)


rule report:
    message:
        "report"
    input:
        [ancient(file) for item in STUDY.items.values() for file in _files(item).values()],
        [ancient(stamp(item)) for item in STUDY.items.values()],
        [ancient(manifest_of(node)) for node in STUDY.graph.nodes.values()],
    output:
        html=REPORT,
        stamp=f"{SHOWN}/.current/report.{REPORT_KEY}",
        summary=f"{SHOWN}/.current/summary.txt",
    params:
        config=json.dumps(STUDY.config, sort_keys=True),
        shown=json.dumps(SHOWN_CONFIG, sort_keys=True),
        templates=f"{workflow.basedir}/report",
    log:
        f"{SHOWN}/logs/report.txt",
    benchmark:
        f"{SHOWN}/logs/report.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    conda:
        "../envs/cpu.yaml"
    shell:
        f"python {workflow.basedir}/workflow_scripts/report.py --config {{params.config:q}} --shown {{params.shown:q}}"
        " --templates {params.templates:q} --log {log:q} --html {output.html:q} --summary {output.summary:q}"
        " --stamp {output.stamp:q}"
