"""The atlas: one self-contained page to browse images, spectra and maps, stamped like an item."""

from freqmaps.study import pages

ATLAS = f"{SHOWN}/atlas.html"
# What a run of everything makes: nothing if the study has no maps, or wants no atlas.
ATLAS_FILES = []

if STUDY.atlas:
    ATLAS_PAGE = pages.atlas(STUDY, Path(workflow.basedir) / "report")
    ATLAS_STAMP = f"{SHOWN}/{ATLAS_PAGE.stamp}"
    ATLAS_FILES = [ATLAS, ATLAS_STAMP]

    rule stamp_atlas:
        input:
            manifests_of(STUDY.atlas.inputs),
        output:
            ATLAS_STAMP,
        log:
            f"{SHOWN}/logs/stamp_atlas.txt",
        localrule: True
        conda:
            "../envs/cpu.yaml"
        params:
            removes=[ATLAS],
            content=json.dumps(ATLAS_PAGE.records),
        shell:
            f"python {script('stamp')} --stamp {{output:q}} --content {{params.content:q}}"
            " --removes {params.removes:q} --log {log:q}"

    rule atlas:
        input:
            ancient(ATLAS_STAMP),
            results=results_of(STUDY.atlas.inputs),
        output:
            ATLAS,
        log:
            f"{SHOWN}/logs/atlas.txt",
        benchmark:
            f"{SHOWN}/logs/atlas.tsv"
        conda:
            "../envs/gpu.yaml"
        threads: 1
        resources:
            mem_mb=growing(6000),
            runtime=growing(60),
            gpu=gpus,
            gpu_model=gpu_model,
        params:
            atlas=json.dumps(dict(STUDY.atlas.parameters), sort_keys=True),
            templates=f"{workflow.basedir}/report",
            root=root_of(STUDY.atlas.inputs),
            # Paths below the root: a shell takes 128 kB, which is some 1500 results.
            results=[node.path for node in STUDY.atlas.inputs],
        message:
            "atlas"
        shell:
            f"python {script('atlas')} --atlas {{params.atlas:q}} --root {{params.root:q}}"
            f" --device {STUDY.config['device']}"
            " --templates {params.templates:q} --html {output:q} --log {log:q} --results {params.results:q}"
