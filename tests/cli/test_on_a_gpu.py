"""Every command that takes a device, on the pretended GPU: no operands of two devices, and the CPU's answers."""

import json

import numpy as np
import pytest

from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.files import open_any

GPU = ("-t", "1", "--device", "cuda", "-q")
CPU = ("-t", "1", "--device", "cpu", "-q")
SIZE = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "--bases", "600")
HELD_OUT = ("--valid-contigs", "III", "--test-contigs", "II")
GENES = "##gff-version 3\n" + "".join(
    f"II\t.\t{kind}\t{start}\t{end}\t.\t+\t{'0' if kind == 'CDS' else '.'}\t{attributes}\n"
    for kind, start, end, attributes in (
        ("gene", 10, 300, "ID=g"), ("mRNA", 10, 300, "ID=t;Parent=g"), ("CDS", 10, 99, "Parent=t"),
        ("CDS", 200, 300, "Parent=t"), ("exon", 10, 99, "Parent=t"), ("exon", 200, 300, "Parent=t"),
    )
)  # fmt: skip


@pytest.fixture
def ran(run, gpu):
    """Function: words of a command -> its JSON, run on the pretended GPU; and the bytes of each upload, in order."""

    def on_gpu(*words):
        gpu.uploads.clear()
        ended = run(*words, *GPU, "--json")
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    return on_gpu


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "genes.gff3").write_text(GENES)
    places = [(contig, at) for contig, end in {"I": 1150, "II": 450, "III": 350}.items() for at in range(50, end, 15)]
    (tmp_path / "sites.bed").write_text("".join(f"{contig}\t{at}\t{at + 1}\t{'ab'[at % 2]}\n" for contig, at in places))
    (tmp_path / "v.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "".join(f"II\t{at}\t.\tA\tACG\t.\t.\t.\nII\t{at}\t.\tC\tG\t.\t.\t.\n" for at in range(50, 450, 20))
    )
    return tmp_path


def codes_uploaded(gpu):
    """Symbols in each copy of contigs to the device: contigs that follow each other go together."""
    return [size for size in gpu.uploads if size in {1202, 500, 400, 1702, 900, 2102}]


def test_training_there_is_that_of_the_cpu_and_uploads_each_contig_once(ran, run, gpu, genome_file, tmp_path):
    told = ran("train", genome_file, "-o", tmp_path / "g.h5", *SIZE, *HELD_OUT)
    assert told["device"] == "cuda (pretended)"
    assert codes_uploaded(gpu) == [1202, 400, 500]
    with open_any(tmp_path / "g.h5") as file:
        assert file.attrs["device"] == "cuda (pretended)"
    again = json.loads(run("train", genome_file, "-o", tmp_path / "c.h5", *SIZE, *HELD_OUT, *CPU, "--json").out)
    for part in ("train", "valid", "test"):
        assert told["bits_per_base"][part] == pytest.approx(again["bits_per_base"][part], abs=1e-5)


def test_training_in_fp16_says_so_and_in_bf16_is_refused(ran, run, genome_file, tmp_path):
    ran("train", genome_file, "-o", tmp_path / "h.h5", *SIZE, "--precision", "fp16")
    assert read_checkpoint(tmp_path / "h.h5").train.precision == "fp16"
    ended = run("train", genome_file, "-o", tmp_path / "b.h5", *SIZE, "--precision", "bf16", *GPU)
    assert ended.code == 2
    assert ended.err.endswith(
        "--precision bf16: on CUDA torch computes recurrent layers in float16, whatever is asked for; use --precision"
        " fp16, which scales the loss as float16 needs, or tf32.\n"
    )
    assert not (tmp_path / "b.h5").exists()


def test_training_on_from_a_model(ran, model_file, genome_file, tmp_path):
    ran("train", genome_file, "-o", tmp_path / "m.h5", "--from", model_file, "--bases", "300", "--lanes", "4")


def test_score_and_probabilities(ran, run, gpu, model_file, genome_file, tmp_path):
    told = ran("score", model_file, genome_file, "-o", tmp_path / "g.h5", "--lanes", "3", "--chunk", "32")
    assert codes_uploaded(gpu) == [2102]
    ended = run(
        "score", model_file, genome_file, "-o", tmp_path / "c.h5", "--lanes", "3", "--chunk", "32", *CPU, "--json"
    )
    assert told["bits_per_base"] == pytest.approx(json.loads(ended.out)["bits_per_base"], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ((), {"lanes": 512, "chunk": 512}),
        (("--lanes", "64"), {"lanes": 64, "chunk": 512}),
    ],
)
def test_lanes_that_were_not_given_are_those_of_a_gpu(ran, model_file, genome_file, tmp_path, words, settings):
    ran("score", model_file, genome_file, "-o", tmp_path / "g.h5", *words)
    with open_any(tmp_path / "g.h5") as file:
        told = json.loads(file.attrs["settings"])
    assert {name: told[name] for name in settings} == settings


def test_score_of_a_region_uploads_its_contig_alone(ran, gpu, model_file, genome_file, tmp_path):
    ran("score", model_file, genome_file, "-o", tmp_path / "g.h5", "--region", "II:101-200", "--chunk", "32")
    assert codes_uploaded(gpu) == [500]


def test_score_with_recall(ran, genome_file, tmp_path):
    ran("train", genome_file, "-o", tmp_path / "m.h5", *SIZE, *HELD_OUT)
    ran("score", tmp_path / "m.h5", genome_file, "-o", tmp_path / "s.h5", "--recall", "frozen", "--region", "II")


def test_gates(ran, gpu, model_file, genome_file, folder):
    few = ("--permutations", "99", "--resamples", "20", "--match-kmer", "1", "--reach", "12", "--near", "4")
    ran("gates", model_file, genome_file, "-o", folder / "g.h5", "--boundaries", folder / "genes.gff3",
        "--memory-bases", "400", "--every", "10", *few)  # fmt: skip
    assert codes_uploaded(gpu) == [2102]


def test_variants(ran, gpu, model_file, genome_file, folder):
    ran("variants", model_file, genome_file, folder / "v.vcf", "-o", folder / "o.vcf", "--window", "16")
    assert codes_uploaded(gpu) == [500]


def test_embed(ran, gpu, model_file, genome_file, folder):
    ran("embed", model_file, genome_file, "--sites", folder / "sites.bed", "-o", folder / "e.h5", "--pool", "last,mean")
    assert codes_uploaded(gpu) == [2102]


def test_dependencies(ran, model_file, genome_file, folder):
    ran("dependencies", model_file, genome_file, "-o", folder / "d.h5", "--region", "II:51-100", "--window", "20")


def test_sample(ran, model_file, folder):
    ran("sample", model_file, "-o", folder / "s.fa", "-n", "2", "--length", "64")


def test_probe_of_sites_and_its_predictions(ran, genome_file, folder):
    model, probe, sites = folder / "m.h5", folder / "p.h5", folder / "sites.bed"
    ran("train", genome_file, "-o", model, *SIZE, *HELD_OUT)
    ran("probe", "sites", model, "--genome", genome_file, "--sites", sites, "-o", probe, "--twins", "1", "--offsets",
        "0,2", "--resamples", "20", "--flank", "16", "--kmer", "1")  # fmt: skip
    ran("predict", probe, genome_file, "--model", model, "-o", folder / "x.h5", "--sites", sites)


def test_bench_and_doctor(ran, run, monkeypatch):
    from genolstm.bench import bounds, made

    monkeypatch.setattr(made, "RANDOM_GENOME", 20_000)
    monkeypatch.setattr(bounds, "LARGE_GPU", 64)
    for part in ("train", "score", "gates"):
        told = ran("bench", part, "--hidden", "8", "--lanes", "4", "--chunk", "16", "--rounds", "1")
        assert all(np.isfinite(each["ratio"]) for each in told["timings"])
    assert run("doctor", "--device", "cuda").code == 0


@pytest.mark.parametrize("command", ["train", "score", "bench"])
def test_a_gpu_that_is_too_small_is_told_with_what_fits(
    run, gpu, model_file, genome_file, tmp_path, monkeypatch, command
):
    import torch

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (300_000, 300_000))
    words = {
        "train": ("train", genome_file, "-o", tmp_path / "out.h5", "--hidden", "8", "--lanes", "1000"),
        "score": ("score", model_file, genome_file, "-o", tmp_path / "out.h5", "--lanes", "1000"),
        "bench": ("bench", "train", "--hidden", "8", "--lanes", "1000"),
    }[command]
    ended = run(*words, *GPU)
    assert ended.code == 2
    assert "1000 lanes x" in ended.err
    assert "0.0 GB are free on cuda; it fits with --lanes" in ended.err
    assert gpu.device.type == "cuda"
    assert not list(tmp_path.iterdir())


def test_training_on_proteins_with_further_tasks(ran, run, tmp_path):
    rng = np.random.default_rng(1)
    chains = ("".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60 + each)) for each in range(40))
    (tmp_path / "p.fa").write_text("".join(f">p{number}\n{chain}\n" for number, chain in enumerate(chains)))
    assert run("ingest", tmp_path / "p.fa", "-o", tmp_path / "p.h5", "--alphabet", "protein", "-q").code == 0
    told = ran("train", tmp_path / "p.h5", "-o", tmp_path / "m.h5", *SIZE, "--multitask", "charge,hydropathy")
    assert np.isfinite(told["bits_per_base"]["valid"])
