"""Imports point down, siblings are strangers, and foreign packages have one home each."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "genolstm"
LAYERS = (
    ("errors",),
    ("alphabet", "regions", "settings", "seeds", "shipped"),
    ("readers", "store", "writers", "polypeptide"),
    ("cells",),
    ("model", "strands", "devices", "ranks"),
    ("markov", "lanes", "stream", "homology", "seen"),
    ("training", "gates", "scoring", "packing", "states", "variants"),
    ("probes", "methylation", "studies"),
    ("figures",),
    ("report", "bench", "export"),
    ("cli",),
    ("__main__",),
)
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}
NO_TORCH = {
    "errors",
    "alphabet",
    "regions",
    "settings",
    "seeds",
    "shipped",
    "store",
    "readers",
    "writers",
    "polypeptide",
    "homology",
    "seen",
}
HOMES = {
    "h5py": {"store"}, "pysam": {"readers", "writers"}, "Bio": {"readers", "homology"}, "matplotlib": {"figures"},
}  # fmt: skip
HOMELESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def imports_of(source):
    """Full names of everything that a source imports, late and type-checking imports included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def faults(path, source):
    """What is wrong with the imports of one module; path : inside the package, as 'store/files.py'."""
    parts = Path(path).with_suffix("").parts
    unit = parts[0]
    if parts == ("__init__",):
        unit = "errors"  # the package itself: it may import nothing of its own
    found = [f"{path}: '{part}' names no job" for part in parts if part in HOMELESS]
    if unit not in LEVEL:
        return [*found, f"{path}: '{unit}' is in no layer"]
    for name in imports_of(source):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if top in HOMES and unit not in HOMES[top]:
            found.append(f"{path}: only {sorted(HOMES[top])} may import {top}")
        if top == "torch" and unit in NO_TORCH:
            found.append(f"{path}: {unit} must not import torch")
        if top != "genolstm" or target in {"", "__version__", unit}:  # '' is the package, asked where its files are
            continue
        if target not in LEVEL:
            found.append(f"{path}: imports {name}, which is in no layer")
        elif LEVEL[target] >= LEVEL[unit]:
            found.append(f"{path}: {unit} imports {target}, which is not below it")
    return found


def test_every_import_points_down():
    found = [
        fault
        for path in sorted(PACKAGE.rglob("*.py"))
        for fault in faults(path.relative_to(PACKAGE).as_posix(), path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        (
            "store/files.py",
            "from genolstm.lanes import Lanes",
            "store/files.py: store imports lanes, which is not below it",
        ),
        ("store/files.py", "from genolstm.readers import fasta", "store imports readers, which is not below it"),
        ("lanes.py", "import genolstm.stream", "lanes imports stream, which is not below it"),
        ("scoring.py", "def f():\n    from genolstm.cli import app", "scoring imports cli, which is not below it"),
        ("errors.py", "from genolstm.settings import Size", "errors imports settings, which is not below it"),
        ("settings/model.py", "import torch.nn", "settings must not import torch"),
        ("readers/fasta.py", "from torch import Tensor", "readers must not import torch"),
        ("readers/fasta.py", "import h5py", "only ['store'] may import h5py"),
        ("report/page.py", "import matplotlib.pyplot", "only ['figures'] may import matplotlib"),
        ("store/genome.py", "import pysam", "only ['readers', 'writers'] may import pysam"),
        ("writers/vcf.py", "from Bio import SeqIO", "only ['homology', 'readers'] may import Bio"),
        ("store/utils.py", "", "'utils' names no job"),
        ("cli/helpers.py", "", "'helpers' names no job"),
        ("novelty.py", "", "'novelty' is in no layer"),
        ("model.py", "from genolstm import novelty", "imports genolstm.novelty, which is in no layer"),
        ("model.py", "if TYPE_CHECKING:\n    from genolstm.training.steps import Run", "model imports training"),
    ],
)
def test_planted_import_is_found(path, source, fault):
    (found,) = faults(path, source)
    assert fault in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("store/files.py", "from genolstm import __version__\nfrom genolstm.store.schema import Kind\nimport h5py"),
        ("cli/train.py", "from genolstm.cli import options\nimport torch"),
        ("writers/vcf.py", "import pysam"),
        ("report.py", "from genolstm.figures import bars"),
    ],
)
def test_good_import_is_left_alone(path, source):
    assert faults(path, source) == []
