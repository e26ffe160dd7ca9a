"""One rule per item. The stamp carries the item's key: without it, or with another, the item is made again."""


def _files(item):
    return {k: f"{SHOWN}/{v}" for k, v in item.files.items()}


def stamp(item):
    return f"{SHOWN}/.current/{item.name}.{item.key}"


def _item_parameter(item):
    return json.dumps({"item": item.name, "parameters": dict(item.parameters)}, sort_keys=True)


for ITEM in STUDY.items.values():

    rule:
        name:
            ITEM.name
        message:
            f"{ITEM.kind} {ITEM.name}"
        input:
            [ancient(manifest_of(node)) for node in ITEM.inputs],
        output:
            **_files(ITEM),
            stamp=stamp(ITEM),
        params:
            item=_item_parameter(ITEM),
        log:
            f"{SHOWN}/logs/{ITEM.name}.txt",
        benchmark:
            f"{SHOWN}/logs/{ITEM.name}.tsv"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=growing(30),
        conda:
            "../envs/cpu.yaml"
        shell:
            f"python {workflow.basedir}/workflow_scripts/items.py --item {{params.item:q}} --root {ROOT}"
            " --log {log:q} --stamp {output.stamp:q} --inputs {input:q}"


PAPERS = sorted({name.split("-")[0] for name in STUDY.items})

for PAPER in PAPERS:

    rule:
        name:
            PAPER.lower()
        localrule: True
        input:
            [f for i in STUDY.items.values() if i.name.startswith(f"{PAPER}-") for f in _files(i).values()],
            [stamp(i) for i in STUDY.items.values() if i.name.startswith(f"{PAPER}-")],
