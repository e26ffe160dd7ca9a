rule matrices:
    input:
        inputs_of("matrices"),
    output:
        **made("matrices"),
    log:
        record("matrices", "log.txt"),
    benchmark:
        record("matrices", "benchmark.tsv")
    conda:
        "../envs/cpu.yaml"
    threads: threads_of("matrices")
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        spec=spec_of("matrices"),
        options=options_of("matrices"),
    message:
        "matrices {wildcards.maps} {wildcards.attack} for {wildcards.dataset}/{wildcards.model}"
    shell:
        command("matrices")
