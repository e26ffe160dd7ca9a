rule attacks:
    message:
        "attack {wildcards.dataset}/{wildcards.model} with {wildcards.attack}, samples {wildcards.range}"
    input:
        inputs_of("attacks"),
    output:
        manifest=beside("attacks", "manifest.json"),
    params:
        spec=spec_of("attacks"),
        options=options_of("attacks"),
    log:
        beside("attacks", "log.txt"),
    benchmark:
        beside("attacks", "benchmark.tsv")
    threads: threads_of("attacks")
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
        gpu=gpus,
    conda:
        "../envs/gpu.yaml"
    shell:
        command("attacks")
