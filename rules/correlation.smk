rule correlation:
    input:
        inputs_of("correlation"),
    output:
        **made("correlation"),
    log:
        record("correlation", "log.txt"),
    benchmark:
        record("correlation", "benchmark.tsv")
    conda:
        "../envs/cpu.yaml"
    threads: threads_of("correlation")
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        spec=spec_of("correlation"),
        options=options_of("correlation"),
    message:
        "{wildcards.metric} of essential and {wildcards.attack} maps for {wildcards.dataset}/{wildcards.model}"
    shell:
        command("correlation")
