"""Imports point down, siblings are strangers, and foreign packages have one home each."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "genolstm"
LAYERS = (
    ("errors",),
    ("alphabet", "estimate", "folds", "regions", "settings", "seeds", "shipped", "outputs"),
    ("readers", "store", "writers", "polypeptide"),
    ("cells", "devices"),
    ("model", "strands", "threads", "ranks"),
    ("markov", "recall", "lanes", "stream", "homology", "seen"),
    ("gates", "scoring", "packing", "states", "variants"),
    ("training",),
    ("probes", "methylation", "studies"),
    ("figures", "predicting"),
    ("report", "bench", "export", "comparing", "explaining"),
    ("api",),
    ("cli",),
    ("__main__", "__init__"),
)
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}
NO_TORCH = {
    "errors",
    "outputs",
    "alphabet",
    "estimate",
    "folds",
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
    "recall",
}
DOOR = {"api", "errors"}  # what 'import genolstm' names, and fetches when it is asked for
HOMES = {
    "h5py": {"store"}, "pysam": {"readers", "writers"}, "Bio": {"readers", "homology"}, "matplotlib": {"figures"},
    "typer": {"cli"},
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
        elif unit == "__init__" and target not in DOOR:
            found.append(f"{path}: the package itself offers what {sorted(DOOR)} hold, not {target}")
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


def circles(sources):
    """Modules that import each other, directly or by way of others. sources : module -> text."""
    below = {name: set() for name in sources}
    for name, source in sources.items():
        for imported in imports_of(source):
            target = imported if imported in sources else imported.rpartition(".")[0]
            if target in sources and target != "genolstm":  # the package itself is asked for its version
                below[name].add(target)
    order = TopologicalSorter(below)
    try:
        order.prepare()
    except CycleError as problem:
        return problem.args[1]
    return []


def test_no_modules_import_each_other():
    sources = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text()
    del sources["genolstm"]  # the door names what it fetches when asked, for type checkers
    assert circles(sources) == []


def test_planted_circle_is_found():
    sources = {"a": "def f():\n    from c import x", "b": "import a", "c": "from b import y", "d": "import a"}
    assert set(circles(sources)) == {"a", "b", "c"}


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
        ("training/session.py", "import typer", "only ['cli'] may import typer"),
        ("__init__.py", "from genolstm.store import files", "the package itself offers what ['api', 'errors'] hold"),
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
