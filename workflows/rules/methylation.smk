rule methylation_count:
    input:
        samples=course_files,
        genome=f"{RESULTS}/{{genome}}/genome.h5",
    output:
        f"{RESULTS}/{{genome}}/methylation/{{course}}.counts.h5",
    log:
        f"{RESULTS}/logs/methylation_count/{{genome}}.{{course}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/methylation_count/{{genome}}.{{course}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        options=typed("methylation", "count"),
    shell:
        "{params.program:q} methylation count {input.samples:q} --genome {input.genome:q} -o {output:q}"
        " {params.options:q} 2> {log:q}"


rule methylation_fit:
    input:
        f"{RESULTS}/{{genome}}/methylation/{{course}}.counts.h5",
    output:
        f"{RESULTS}/{{genome}}/methylation/{{course}}.fit.h5",
    log:
        f"{RESULTS}/logs/methylation_fit/{{genome}}.{{course}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/methylation_fit/{{genome}}.{{course}}.tsv"
    threads: config["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        program=PROGRAM,
        times=lambda wildcards: ",".join(
            row["time"] for row in courses(wildcards.genome)[wildcards.course]
        ),
        options=typed("methylation", "fit"),
    shell:
        "{params.program:q} methylation fit {input:q} --times {params.times:q} -o {output:q} {params.options:q}"
        " --threads {threads} 2> {log:q}"
