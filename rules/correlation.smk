rule correlation:
    message:
        "{wildcards.metric} of essential and {wildcards.attack} maps for {wildcards.dataset}/{wildcards.model}"
    input:
        inputs_of("correlation"),
    output:
        manifest=beside("correlation", "manifest.json"),
    params:
        spec=spec_of("correlation"),
        options=options_of("correlation"),
    log:
        beside("correlation", "log.txt"),
    benchmark:
        beside("correlation", "benchmark.tsv")
    threads: threads_of("correlation")
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    conda:
        "../envs/cpu.yaml"
    shell:
        command("correlation")
