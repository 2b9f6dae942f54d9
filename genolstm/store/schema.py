"""The layout of every file kind, as a table that writers and readers check against and ``genolstm schema`` prints."""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

import h5py
import numpy as np

FORMAT = "genolstm"
ROOT_ATTRIBUTES = {
    "format": "always 'genolstm'",
    "kind": "which table below the file follows",
    "schema_version": "version of that table",
    "genolstm_version": "version of the program that wrote the file",
    "command": "command line that made the file",
    "settings": "JSON: every setting, defaults included",
    "seed": "the user's seed",
    "inputs": "JSON: input name -> SHA-256 of its bytes",
    "device": "device that computed",
    "created": "UTC time, or SOURCE_DATE_EPOCH when that is set",
    "records": "JSON: records read, used, and skipped by reason",
    "content_sha256": "SHA-256 over names, types, shapes, values and attributes of everything else in the file",
}


class Kind(StrEnum):
    """The kinds of file this version writes."""

    GENOME = "genome"
    CHECKPOINT = "checkpoint"
    PROBE = "probe"


SCHEMA_VERSION: dict[Kind, int] = dict.fromkeys(Kind, 1)


@dataclass(frozen=True)
class Dataset:
    """One dataset of a file kind.

    path : may hold '*' for one level of names.   dims : one name per axis; equal names have equal length in one file,
    digits are exact lengths, '*' is free.   dtype : NumPy name, or 'string'.   required : False where it may be absent.
    """

    path: str
    dims: tuple[str, ...]
    dtype: str
    unit: str
    meaning: str
    required: bool = True


GENOME = (
    Dataset(
        "codes", ("symbols",), "uint8", "code", "all contigs end to end, contiguous on disk; index into the alphabet"
    ),
    Dataset("contigs/name", ("contigs",), "string", "", "first word of each FASTA header, in file order"),
    Dataset("contigs/start", ("contigs",), "int64", "symbol", "where the contig begins in codes"),
    Dataset("contigs/length", ("contigs",), "int64", "symbol", "length of the contig"),
    Dataset(
        "contigs/unknown", ("contigs",), "int64", "symbol", "symbols of the contig that are N (DNA) or X (protein)"
    ),
    Dataset("soft_mask/contig", ("intervals",), "int32", "index", "contig of each lower-case interval"),
    Dataset("soft_mask/start", ("intervals",), "int64", "bp", "0-based start within the contig"),
    Dataset("soft_mask/end", ("intervals",), "int64", "bp", "half-open end within the contig"),
    Dataset("letters/letter", ("letters",), "string", "", "letter of the FASTA that is not a known one"),
    Dataset("letters/read_as", ("letters",), "string", "", "what it was read as"),
    Dataset("letters/count", ("letters",), "int64", "symbol", "how often"),
)

SPLIT = (
    Dataset("split/contig", ("stretches",), "int32", "index", "contig of each stretch of the split"),
    Dataset("split/start", ("stretches",), "int64", "bp", "0-based start"),
    Dataset("split/end", ("stretches",), "int64", "bp", "half-open end"),
    Dataset("split/part", ("stretches",), "int8", "", "0 train, 1 valid, 2 test"),
)

CHECKPOINT = (
    Dataset("weights/*", ("*", "..."), "float32", "", "weights by torch name; cells have torch.nn's gate order"),
    Dataset("optimiser/first_moment/*", ("*", "..."), "float32", "", "AdamW exp_avg of each weight", required=False),
    Dataset(
        "optimiser/second_moment/*", ("*", "..."), "float32", "", "AdamW exp_avg_sq of each weight", required=False
    ),
    Dataset("state/hidden", ("layers", "lanes", "units"), "float32", "", "h of each lane", required=False),
    Dataset("state/memory", ("layers", "lanes", "units"), "float32", "", "c of each lane", required=False),
    Dataset("best/*", ("*", "..."), "float32", "", "weights of the best look so far (early stop)", required=False),
    Dataset("history/step", ("records",), "int64", "", "weight updates so far"),
    Dataset("history/bases", ("records",), "int64", "bp", "symbols read so far, both strands"),
    Dataset("history/bits", ("records",), "float64", "bits/base", "training loss, mean since the last record"),
    Dataset("history/gradient_norm", ("records",), "float64", "", "before clipping"),
    Dataset("history/learning_rate", ("records",), "float64", "", "at this step"),
    Dataset("history/bases_per_second", ("records",), "float64", "bp/s", "since the last; NaN with SOURCE_DATE_EPOCH"),
    Dataset("looks/bases", ("looks",), "int64", "bp", "symbols read when validation was looked at"),
    Dataset("looks/bits", ("looks",), "float64", "bits/base", "validation loss, both strands"),
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("contigs/seen", ("contigs",), "uint8", "", "1 where any of its bases was trained on"),
    *SPLIT,
    Dataset("bits/part", ("parts",), "string", "", "train, valid or test"),
    Dataset("bits/model", ("parts",), "float64", "bits/base", "of this model, both strands; NaN until training ended"),
    Dataset("bits/symbols", ("parts",), "int64", "", "known symbols scored, both strands"),
    Dataset("bits/uniform", ("parts",), "float64", "bits/base", "every symbol equally likely"),
    Dataset(
        "bits/markov_by_order", ("parts", "orders"), "float64", "bits/base", "order-k Markov, k = 0 .., same contigs"
    ),
    Dataset("bits/markov_interpolated", ("parts",), "float64", "bits/base", "interpolated Markov, same contigs"),
)

PROBE = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("*/sites/contig", ("sites",), "int32", "index", "contig of each site"),
    Dataset("*/sites/position", ("sites",), "int64", "bp", "0-based: the G of a donor's GT, the G of an acceptor's AG"),
    Dataset("*/sites/strand", ("sites",), "int8", "", "+1 or -1"),
    Dataset("*/sites/label", ("sites",), "int8", "", "1 true site, 0 decoy"),
    Dataset("*/sites/part", ("sites",), "int8", "", "0 train, 1 valid, 2 test"),
    Dataset("*/sites/block", ("sites",), "int64", "index", "bootstrap block"),
    Dataset("*/features/*/label", ("sites",), "int8", "", "what this feature set was fitted to and judged on"),
    Dataset("*/features/*/log_odds", ("sites",), "float32", "log odds", "prediction of one feature set at every site"),
    Dataset("*/features/*/mean", ("*",), "float32", "", "what the probe subtracts from each feature"),
    Dataset("*/features/*/scale", ("*",), "float32", "", "what it then divides by"),
    Dataset("*/features/*/coefficients", ("*",), "float32", "log odds", "weight of each standardised feature"),
    Dataset("*/features/*/intercept", ("1",), "float64", "log odds", "constant term"),
    Dataset("*/features/*/searched_strength", ("*",), "float64", "", "C (inverse L2 strength) tried on validation"),
    Dataset("*/features/*/searched_log_likelihood", ("*",), "float64", "nats/site", "on validation, of each C"),
    Dataset("*/scores/features", ("feature_sets",), "string", "", "name of each feature set"),
    Dataset("*/scores/score", ("scores",), "string", "", "auprc, auroc, topk, mcc, calibration_error, auprc_natural"),
    Dataset("*/scores/value", ("feature_sets", "scores"), "float64", "", "on the test sites"),
    Dataset("*/scores/low", ("feature_sets", "scores"), "float64", "", "2.5 % point of the block bootstrap"),
    Dataset("*/scores/high", ("feature_sets", "scores"), "float64", "", "97.5 % point"),
    Dataset("*/differences/control", ("controls",), "string", "", "what the trained states are compared with"),
    Dataset("*/differences/value", ("controls",), "float64", "AUPRC", "trained minus control, same sites"),
    Dataset("*/differences/low", ("controls",), "float64", "AUPRC", "2.5 % point, paired block bootstrap"),
    Dataset("*/differences/high", ("controls",), "float64", "AUPRC", "97.5 % point"),
    Dataset("*/sweep/model", ("fits",), "string", "", "trained or untrained_k"),
    Dataset("*/sweep/offsets", ("fits",), "string", "", "symbols after the dinucleotide, read together"),
    Dataset("*/sweep/valid_log_likelihood", ("fits",), "float64", "nats/site", "on validation; the best is chosen"),
    Dataset("*/sweep/valid_auprc", ("fits",), "float64", "", "on validation sites: test sites are never looked at"),
    Dataset("*/calibration/edge_log_odds", ("bins",), "float64", "log odds", "lowest log odds in each bin, test sites"),
    Dataset("*/calibration/predicted", ("bins",), "float64", "", "mean predicted probability"),
    Dataset("*/calibration/observed", ("bins",), "float64", "", "share of true sites"),
    Dataset("*/calibration/sites", ("bins",), "int64", "", "test sites in the bin"),
)

SCHEMA: dict[Kind, tuple[Dataset, ...]] = {Kind.GENOME: GENOME, Kind.CHECKPOINT: CHECKPOINT, Kind.PROBE: PROBE}


def row_for(kind: Kind, path: str) -> Dataset | None:
    """Give the table row that a dataset path follows, or None."""
    for row in SCHEMA[kind]:
        if row.path.count("/") == path.count("/") and fnmatchcase(path, row.path):
            return row
    return None


def problems(file: h5py.File, kind: Kind) -> list[str]:
    """Everything in which a file strays from its table, one phrase each; an empty list when it follows it."""
    found: list[str] = []
    present: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            present[name] = item

    file.visititems(visit)
    for row in SCHEMA[kind]:
        if row.required and not any(row_for(kind, path) is row for path in present):
            found.append(f"{row.path} is missing")
    lengths: dict[tuple[str, str], int] = {}
    for path, item in present.items():
        matched = row_for(kind, path)
        if matched is None:
            found.append(f"{path} is not in the layout")
            continue
        found += _shape_problems(matched, path, item, lengths)
        if type_name(item) != matched.dtype:
            found.append(f"{path} holds {type_name(item)}, not {matched.dtype}")
    return found


def _shape_problems(row: Dataset, path: str, item: h5py.Dataset, lengths: dict[tuple[str, str], int]) -> list[str]:
    if row.dims[-1] == "...":
        return []
    if len(item.shape) != len(row.dims):
        return [f"{path} has {len(item.shape)} axes, not {len(row.dims)}"]
    # a name such as 'sites' belongs to the first '*' of the path: donor and acceptor differ in their numbers of sites
    scope = path.split("/")[0] if row.path.startswith("*") else ""
    for name, length in zip(row.dims, item.shape, strict=True):
        expected = int(name) if name.isdigit() else lengths.setdefault((scope, name), length)
        if name != "*" and length != expected:
            return [f"{path} has {length} {'entries' if name.isdigit() else name}, not {expected}"]
    return []


def type_name(item: h5py.Dataset) -> str:
    """NumPy type name of a dataset, or 'string'."""
    return "string" if h5py.check_string_dtype(item.dtype) is not None else np.dtype(item.dtype).name
