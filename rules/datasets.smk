rule datasets:
    input:
        inputs_of("datasets"),
    output:
        **made("datasets"),
    log:
        record("datasets", "log.txt"),
    benchmark:
        record("datasets", "benchmark.tsv")
    conda:
        "../envs/cpu.yaml"
    threads: threads_of("datasets")
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        spec=spec_of("datasets"),
        options=options_of("datasets"),
    message:
        "dataset store {wildcards.dataset}"
    shell:
        command("datasets")
