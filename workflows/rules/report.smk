rule report:
    input:
        lambda wildcards: results_of(wildcards.genome, wildcards.run),
    output:
        f"{RESULTS}/{{genome}}/{{run}}/report.html",
    log:
        f"{RESULTS}/logs/report/{{genome}}.{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/report/{{genome}}.{{run}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        program=PROGRAM,
    shell:
        "{params.program:q} report {input:q} -o {output:q} 2> {log:q}"
