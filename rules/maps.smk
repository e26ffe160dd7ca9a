rule maps:
    message:
        "maps {wildcards.maps} of {wildcards.of} for {wildcards.dataset}/{wildcards.model}, samples {wildcards.range}"
    input:
        inputs_of("maps"),
    output:
        manifest=beside("maps", "manifest.json"),
    params:
        spec=spec_of("maps"),
        options=options_of("maps"),
    log:
        beside("maps", "log.txt"),
    benchmark:
        beside("maps", "benchmark.tsv")
    threads: threads_of("maps")
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=gpus,
    conda:
        "../envs/gpu.yaml"
    shell:
        command("maps")
