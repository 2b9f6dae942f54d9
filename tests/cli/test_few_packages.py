"""What commands load: a machine with a GPU has few packages, and torch takes 2 s of each start."""

import shutil
import subprocess
import sys

from genolstm.store.files import content_sha256

PACKAGES = ("pysam", "Bio", "isal", "pybigtools", "threadpoolctl")
WITHOUT = f"""
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {PACKAGES}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refusing())
from genolstm.cli.app import app

fasta, folder = sys.argv[1:]
small = ["--hidden", "8", "--lanes", "4", "--chunk", "16", "-t", "1", "--device", "cpu", "-q"]
for words in (
    ["ingest", fasta, "-o", f"{{folder}}/g.h5", "-q"],
    ["train", f"{{folder}}/g.h5", "-o", f"{{folder}}/m.h5", "--bases", "600", *small],
    ["score", f"{{folder}}/m.h5", f"{{folder}}/g.h5", "-o", f"{{folder}}/s.h5", *small[2:]],
    ["bench", "score", "--rounds", "1", *small],
):
    app(words, standalone_mode=False)
"""


def test_training_scoring_and_timing_run_without_the_packages_for_other_files(fasta, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(fasta), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"g.h5", "m.h5", "s.h5"}


NO_NETWORK = """
import sys
from genolstm.cli.app import app

fasta, model, probe, score, counts, bed, folder = sys.argv[1:]
for words in (
    ["ingest", fasta, "-o", f"{folder}/g.h5", "-q"],
    ["methylation", "count", bed, "-o", f"{folder}/c.h5", "-q"],
    ["show", model], ["show", score], ["schema", "genome"], ["models", "list"], ["manual", "train"],
    ["export", score, "-o", f"{folder}/s.tsv", "-q"], ["export", counts, "-o", f"{folder}/c.tsv", "-q"],
    ["compare", probe, f"{folder}/other.h5", "-o", f"{folder}/d.h5", "-q"],
    ["report", probe, "-o", f"{folder}/r.html", "-q"],
):
    app(words, standalone_mode=False)
    assert "torch" not in sys.modules, words
"""


def test_what_reads_no_network_starts_without_torch(fasta, results, edited, tmp_path):
    bed = tmp_path / "calls.bed"
    bed.write_text("".join(f"I\t{at}\t{at + 1}\tm\t10\t+\t{at}\t{at + 1}\t0\t10\t50\n" for at in (3, 9)))
    shutil.copy(results["probe"], tmp_path / "other.h5")
    with edited(tmp_path / "other.h5") as file:  # the same sites; another file
        file["donor/features/trained/log_odds"][0] += 1
        file.attrs["content_sha256"] = content_sha256(file)
    read = [results[name] for name in ("model", "probe", "score", "counts")]
    ended = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, *map(str, (fasta, *read, bed, tmp_path))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "d.h5").exists()
