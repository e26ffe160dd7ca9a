"""Items: plain names that follow the current config.

A stamp carries an item's key. Where it is missing, it is written first, which removes what another config left at the
plain names; so neither ages nor Snakemake's records are needed to know that an item is due. Targets (`all`, `b25`,
`B25-T1`) therefore ask for the stamps too.
"""


def files_of(item):
    return {k: f"{SHOWN}/{v}" for k, v in item.files.items()}


def stamp_of(item):
    return f"{SHOWN}/.current/{item.name}.{item.key}"


for ITEM in STUDY.items.values():

    rule:
        name:
            f"stamp_{ITEM.name}"
        input:
            manifests_of(ITEM.inputs),
        output:
            stamp_of(ITEM),
        log:
            f"{SHOWN}/logs/stamp_{ITEM.name}.txt",
        localrule: True
        conda:
            "../envs/cpu.yaml"
        params:
            removes=list(files_of(ITEM).values()),
            content=json.dumps(
                {
                    "parameters": dict(ITEM.parameters),
                    "inputs": sorted(n.path for n in ITEM.inputs),
                }
            ),
        shell:
            f"python {script('stamp')} --stamp {{output:q}} --content {{params.content:q}}"
            " --removes {params.removes:q} --log {log:q}"

    rule:
        name:
            f"item_{ITEM.name}"
        input:
            ancient(stamp_of(ITEM)),
            results=results_of(ITEM.inputs),
        output:
            **files_of(ITEM),
        log:
            f"{SHOWN}/logs/{ITEM.name}.txt",
        benchmark:
            f"{SHOWN}/logs/{ITEM.name}.tsv"
        localrule: True
        conda:
            "../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=growing(30),
        params:
            item=json.dumps(
                {"item": ITEM.name, "parameters": dict(ITEM.parameters)},
                sort_keys=True,
            ),
        message:
            f"{ITEM.kind} {ITEM.name}"
        shell:
            f"python {script('items')} --item {{params.item:q}} --shown {SHOWN}"
            " --log {log:q} --inputs {input.results:q}"


def current(items):
    """The files of items, and the stamps that say they are of this config."""
    return [f for item in items for f in [*files_of(item).values(), stamp_of(item)]]


TARGETS = {item.name: [item] for item in STUDY.items.values()}
for ITEM in STUDY.items.values():
    TARGETS.setdefault(ITEM.name.split("-")[0].lower(), []).append(ITEM)

for TARGET, ITEMS in TARGETS.items():

    rule:
        name:
            TARGET
        input:
            current(ITEMS),
        localrule: True
