"""Training, scoring and timing need torch, NumPy, SciPy and h5py: a machine with a GPU often has little more."""

import subprocess
import sys

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
