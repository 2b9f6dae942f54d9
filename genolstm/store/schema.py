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
    "content_sha256": "SHA-256 over names, types, shapes, values and attributes of all but the provenance above",
}

PROVENANCE = frozenset(ROOT_ATTRIBUTES) - {"format", "kind", "schema_version", "records"}
CLOCKED = frozenset({"history/bases_per_second"})  # datasets that a second run of the same command gives otherwise


class Kind(StrEnum):
    """The kinds of file this version writes."""

    GENOME = "genome"
    CHECKPOINT = "checkpoint"
    PROBE = "probe"
    TRACK = "track"
    SCORE = "score"
    HIDDEN = "hidden"
    GATES = "gates"
    COUNTS = "counts"
    METHYLATION = "methylation"
    STUDY = "study"
    COMPARISON = "comparison"
    VARIANTS = "variants"
    PREDICTION = "prediction"
    DEPENDENCIES = "dependencies"
    CONTRAST = "contrast"


# probe 2: windows beside single sites, values beside classes; 3: several classes, places in proteins; 4: the attribute
# standing is called fraction_of_ceiling, states and pooling are named; 5: folds, pools beside
# offsets, predictions that are of no linear probe; files of earlier versions are read as they are.
# checkpoint 2: auxiliary heads; 3: a card, and then weights of float16; 4: hashes of the training sequence.
# checkpoint 4 and score 2: the difference from the best Markov line; checkpoint 6: several genomes, ancestors, recall;
# score 3: recall, probabilities
SCHEMA_VERSION: dict[Kind, int] = dict.fromkeys(Kind, 2) | {Kind.PROBE: 5, Kind.CHECKPOINT: 6, Kind.SCORE: 3}
# from which on a file carries checksums of its blocks, and its content hash is of content alone
CHECKED_SINCE: dict[Kind, int] = dict.fromkeys(Kind, 2) | {Kind.PROBE: 4, Kind.CHECKPOINT: 5}


@dataclass(frozen=True)
class Dataset:
    """One dataset of a file kind.

    path : may hold '*' for one level of names.   dims : one name per axis; equal names have equal length in one file,
    digits are exact lengths; what begins with '*' is free.   dtype : NumPy name, or 'string'; several with '|' between
    them.   required : False where it may be absent.
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
    Dataset("contigs/name", ("contigs",), "string", "", "from each FASTA header, up to the first space"),
    Dataset("contigs/start", ("contigs",), "int64", "symbol", "where the contig begins in codes"),
    Dataset("contigs/length", ("contigs",), "int64", "symbol", "length of the contig"),
    Dataset(
        "contigs/unknown", ("contigs",), "int64", "symbol", "symbols of the contig that are N (DNA) or X (protein)"
    ),
    Dataset("soft_mask/contig", ("intervals",), "int32", "index", "contig of each lower-case interval"),
    Dataset("soft_mask/start", ("intervals",), "int64", "bp", "0-based start within the contig"),
    Dataset("soft_mask/end", ("intervals",), "int64", "bp", "half-open end within the contig"),
    Dataset("letters/letter", ("letters",), "string", "", "letter of the FASTA that is not a known one"),
    Dataset("letters/read_as", ("letters",), "string", "", "what it was read as; empty where it was left out"),
    Dataset("letters/count", ("letters",), "int64", "symbol", "how often"),
)

SPLIT = (
    Dataset("split/contig", ("stretches",), "int32", "index", "contig of each stretch of the split"),
    Dataset("split/start", ("stretches",), "int64", "bp", "0-based start"),
    Dataset("split/end", ("stretches",), "int64", "bp", "half-open end"),
    Dataset("split/part", ("stretches",), "int8", "", "0 train, 1 valid, 2 test"),
)


def _bits(group: str) -> tuple[Dataset, ...]:
    """Table of bits beside their Markov lines, under a group's name."""
    return (
        Dataset(f"{group}/part", ("parts",), "string", "", "train, valid or test; scored: all that was scored"),
        Dataset(f"{group}/model", ("parts",), "float64", "bits/base", "of this model, both strands; NaN: not measured"),
        Dataset(f"{group}/symbols", ("parts",), "int64", "", "known symbols scored, both strands"),
        Dataset(f"{group}/uniform", ("parts",), "float64", "bits/base", "every symbol equally likely"),
        Dataset(
            f"{group}/markov_by_order",
            ("parts", "orders"),
            "float64",
            "bits/base",
            "order-k Markov models, k from 0 up",
        ),
        Dataset(f"{group}/markov_interpolated", ("parts",), "float64", "bits/base", "interpolated Markov, same bases"),
        Dataset(
            f"{group}/difference", ("parts",), "float64", "bits/base", "model less best line; NaN: no verdict", False
        ),
        Dataset(f"{group}/difference_low", ("parts",), "float64", "bits/base", "2.5 % point, block bootstrap", False),
        Dataset(f"{group}/difference_high", ("parts",), "float64", "bits/base", "97.5 % point; inf: few blocks", False),
        Dataset(f"{group}/standing", ("parts",), "string", "", "whether the model was trained on these bases", False),
    )


def _classes(group: str, mean: str) -> tuple[Dataset, ...]:
    """Table of means over the bases of each class of an annotation."""
    rows = (
        ("name", "string", "", "CDS, UTR, intron, noncoding exon, intergenic"),
        ("sense", "string", "", "read along the feature, against it, or both"),
        ("symbols", "int64", "", "known bases"),
        ("bits", "float64", "bits/base", mean),
        ("low", "float64", "bits/base", "2.5 % point, by blocks of 100 kb"),
        ("high", "float64", "bits/base", "97.5 % point"),
    )
    return tuple(
        Dataset(f"{group}/{name}", (group,), dtype, unit, meaning, required=False)
        for name, dtype, unit, meaning in rows
    )


def _recall(group: str) -> tuple[Dataset, ...]:
    """Table of bits with and without recall."""
    rows = (
        ("mode", "string", "", "frozen: the text is the training sequence; online: and what was scored before"),
        ("part", "string", "", "test; its forward strand alone; not trained on: all that was read"),
        ("symbols", "int64", "", "known bases, both strands but for the forward one"),
        ("network", "float64", "bits/base", "the network alone"),
        ("mixed", "float64", "bits/base", "network, copies and counts"),
        ("without_network", "float64", "bits/base", "copies and counts, in the same mode"),
        ("counts", "float64", "bits/base", "counts alone, in the same mode"),
        ("windows", "int64", "", "of 10 kb, with any known base"),
        ("median_gain", "float64", "bits/base", "that the median window gains over the network alone"),
        ("top_fraction", "float64", "", "of the whole gain in the best 5 % of windows; NaN without a gain"),
        ("difference", "float64", "bits/base", "mixed less the better of network and without_network"),
        ("low", "float64", "bits/base", "2.5 % point of it, by blocks of 100 kb"),
        ("high", "float64", "bits/base", "97.5 % point"),
    )
    return tuple(
        Dataset(f"{group}/{name}", (group,), dtype, unit, meaning, required=False)
        for name, dtype, unit, meaning in rows
    )


def _seams(group: str, axis: str, other: str) -> tuple[Dataset, ...]:
    """Table of places where the states of two passes were compared."""
    return (
        Dataset(f"{group}/contig", (axis,), "int32", "index", "contig"),
        Dataset(f"{group}/position", (axis,), "int64", "bp", "0-based, of the first base that follows"),
        Dataset(f"{group}/strand", (axis,), "int8", "", "+1 or -1"),
        Dataset(f"{group}/found_state", (axis,), "float64", "", f"largest difference of a unit, {other}; c over 1+|c|"),
        Dataset(f"{group}/found_bits", (axis,), "float64", "bits", "largest difference for any next symbol"),
        Dataset(f"{group}/repaired", (axis,), "int64", "symbol", "read again from the true state"),
        Dataset(f"{group}/left_state", (axis,), "float64", "", "the same difference where reading again stopped"),
        Dataset(f"{group}/left_bits", (axis,), "float64", "bits", "the same difference where reading again stopped"),
    )


# of each model that this one goes on from, numbered from 1, the oldest first: what it was trained on
_ANCESTOR = (
    Dataset("ancestors/*/contigs/name", ("*contigs",), "string", "", "contigs of the ancestor's genome", False),
    Dataset("ancestors/*/contigs/length", ("*contigs",), "int64", "bp", "length", False),
    Dataset("ancestors/*/contigs/blake2b", ("*contigs", "16"), "uint8", "", "as contigs/blake2b", False),
    Dataset("ancestors/*/split/contig", ("*stretches",), "int32", "index", "as split/contig", False),
    Dataset("ancestors/*/split/start", ("*stretches",), "int64", "bp", "0-based start", False),
    Dataset("ancestors/*/split/end", ("*stretches",), "int64", "bp", "half-open end", False),
    Dataset("ancestors/*/split/part", ("*stretches",), "int8", "", "0 train, 1 valid, 2 test", False),
    Dataset("ancestors/*/split/blake2b", ("*stretches", "16"), "uint8", "", "as split/blake2b", False),
    Dataset("ancestors/*/training/kmers", ("*kmers",), "uint64", "", "as training/kmers", False),
    Dataset("ancestors/*/genomes/name", ("*genomes",), "string", "", "as genomes/name", False),
    Dataset("ancestors/*/genomes/sha256", ("*genomes",), "string", "", "as genomes/sha256", False),
    Dataset("ancestors/*/genomes/contigs", ("*genomes",), "int64", "", "as genomes/contigs", False),
)

CHECKPOINT = (
    Dataset("weights/*", ("*", "..."), "float32|float16", "", "by torch name; cells have torch.nn's gate order"),
    Dataset("optimiser/first_moment/*", ("*", "..."), "float32", "", "AdamW exp_avg of each weight", required=False),
    Dataset(
        "optimiser/second_moment/*", ("*", "..."), "float32", "", "AdamW exp_avg_sq of each weight", required=False
    ),
    Dataset("state/hidden", ("layers", "lanes", "units"), "float32", "", "h of each lane", required=False),
    Dataset("state/memory", ("layers", "lanes", "units"), "float32", "", "c of each lane", required=False),
    Dataset("best/*", ("*", "..."), "float32", "", "weights of the best validation (early stop)", required=False),
    Dataset("history/step", ("records",), "int64", "", "weight updates so far"),
    Dataset("history/bases", ("records",), "int64", "bp", "symbols read so far, both strands"),
    Dataset("history/bits", ("records",), "float64", "bits/base", "training loss, mean since the last record"),
    Dataset("history/gradient_norm", ("records",), "float64", "", "before clipping"),
    Dataset("history/learning_rate", ("records",), "float64", "", "at this step"),
    Dataset("history/bases_per_second", ("records",), "float64", "bp/s", "since the last; NaN with SOURCE_DATE_EPOCH"),
    Dataset("looks/bases", ("looks",), "int64", "bp", "symbols read when validation was measured"),
    Dataset("looks/bits", ("looks",), "float64", "bits/base", "validation loss, both strands"),
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("contigs/seen", ("contigs",), "uint8", "", "1 where any of its bases was trained on"),
    Dataset("contigs/blake2b", ("contigs", "16"), "uint8", "", "BLAKE2b of its codes, 128 bits", required=False),
    *SPLIT,
    Dataset("split/blake2b", ("stretches", "16"), "uint8", "", "BLAKE2b of its codes, 128 bits", required=False),
    Dataset("training/kmers", ("kmers",), "uint64", "", "smallest hashes of canonical 31-mers trained on", False),
    Dataset("genomes/name", ("genomes",), "string", "", "of several: what stands before the colon of contigs", False),
    Dataset("genomes/sha256", ("genomes",), "string", "", "of each: SHA-256 of its names and codes", required=False),
    Dataset(
        "genomes/contigs", ("genomes",), "int64", "", "of each: how many contigs, one genome's after another's", False
    ),
    *_bits("bits"),
    *_ANCESTOR,
    *_recall("recall_bits"),
    Dataset("auxiliary/task", ("tasks",), "string", "", "what each auxiliary head predicts", required=False),
    Dataset("auxiliary/mean", ("tasks",), "float64", "", "of the target, over the training part", required=False),
    Dataset("auxiliary/sd", ("tasks",), "float64", "", "its standard deviation there", required=False),
    Dataset("auxiliary/weight", ("tasks", "units"), "float32", "", "of each hidden unit, last layer", required=False),
    Dataset("auxiliary/bias", ("tasks",), "float32", "", "target in standard deviations from its mean", required=False),
    Dataset("auxiliary/errors", ("records", "tasks"), "float64", "", "mean squared, standardised", required=False),
)

PROBE = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("*/sites/contig", ("sites",), "int32", "index", "contig of each site"),
    Dataset(
        "*/sites/position",
        ("sites",),
        "int64",
        "bp",
        "0-based: the G of a donor's GT, the G of an acceptor's AG, the first base of a window",
    ),
    Dataset("*/sites/end", ("sites",), "int64", "bp", "half-open end of a window; single bases have none", False),
    Dataset("*/sites/strand", ("sites",), "int8", "", "+1 or -1; 0 for a window, which is read on both"),
    Dataset("*/sites/label", ("sites",), "int8", "", "1 true site or open window, 0 decoy or closed; or codon frame"),
    Dataset("*/sites/part", ("sites",), "int8", "", "0 train, 1 valid, 2 test"),
    Dataset("*/sites/block", ("sites",), "int64", "index", "bootstrap block"),
    Dataset("*/sites/fold", ("sites",), "int8", "", "over folds: that of which it is for validation or test", False),
    Dataset("*/features/*/label", ("sites",), "int8", "", "what this feature set was fitted to and judged on", False),
    Dataset("*/features/*/log_odds", ("sites",), "float32", "log odds", "its prediction at every site", False),
    Dataset(
        "*/features/*/class_log_odds", ("sites", "classes"), "float32", "log odds", "of each of several classes", False
    ),
    Dataset("*/features/*/value", ("sites",), "float32", "", "value that it was fitted to and judged on", False),
    Dataset("*/features/*/predicted", ("sites",), "float32", "", "its prediction of the value at every site", False),
    Dataset("*/features/*/mean", ("*inputs",), "float32", "", "what the probe subtracts from each feature"),
    Dataset("*/features/*/scale", ("*inputs",), "float32", "", "what it then divides by"),
    Dataset("*/features/*/coefficients", ("*inputs",), "float32", "", "weight of each standardised feature", False),
    Dataset(
        "*/features/*/class_coefficients", ("*inputs", "classes"), "float32", "", "the same for several classes", False
    ),
    Dataset("*/features/*/intercept", ("1",), "float64", "", "constant term", False),
    Dataset("*/features/*/class_intercept", ("classes",), "float64", "", "constant term of each class", False),
    Dataset(
        "*/features/*/searched_strength", ("*tried",), "float64", "", "C (inverse L2 strength) tried on validation"
    ),
    Dataset(
        "*/features/*/searched_log_likelihood", ("*tried",), "float64", "nats/site", "on validation, of each C", False
    ),
    Dataset(
        "*/features/*/searched_r2",
        ("*tried",),
        "float64",
        "",
        "on validation, of each C, where values are asked",
        False,
    ),
    Dataset("*/features/*/folds/*/mean", ("*fold",), "float32", "", "over folds: as mean, of each fold", False),
    Dataset("*/features/*/folds/*/scale", ("*fold",), "float32", "", "as scale, of each fold", False),
    Dataset("*/features/*/folds/*/coefficients", ("*fold",), "float32", "", "recalibrated, of each fold", False),
    Dataset(
        "*/features/*/folds/*/class_coefficients", ("*fold", "classes"), "float32", "", "the same of classes", False
    ),
    Dataset("*/features/*/folds/*/intercept", ("1",), "float64", "", "recalibrated, of each fold", False),
    Dataset("*/features/*/folds/*/class_intercept", ("classes",), "float64", "", "the same of classes", False),
    Dataset("*/scores/features", ("feature_sets",), "string", "", "name of each feature set"),
    Dataset("*/scores/score", ("scores",), "string", "", "auprc, auroc, topk, mcc, ..., or r2, pearson, spearman"),
    Dataset("*/scores/value", ("feature_sets", "scores"), "float64", "", "on the test sites"),
    Dataset("*/scores/low", ("feature_sets", "scores"), "float64", "", "2.5 % point of the block bootstrap"),
    Dataset("*/scores/high", ("feature_sets", "scores"), "float64", "", "97.5 % point"),
    Dataset("*/differences/control", ("controls",), "string", "", "what the trained states are compared with"),
    Dataset("*/differences/value", ("controls",), "float64", "AUPRC or R2", "trained minus control, same sites"),
    Dataset("*/differences/low", ("controls",), "float64", "AUPRC or R2", "2.5 % point, paired block bootstrap"),
    Dataset("*/differences/high", ("controls",), "float64", "AUPRC or R2", "97.5 % point"),
    Dataset("*/sweep/model", ("fits",), "string", "", "trained or untrained_k"),
    Dataset("*/sweep/offsets", ("fits",), "string", "", "symbols after the dinucleotide, read together"),
    Dataset("*/sweep/pools", ("fits",), "string", "", "pools of the own pass read beside them", required=False),
    Dataset("*/sweep/valid_log_likelihood", ("fits",), "float64", "nats/site", "on validation; the best is chosen"),
    Dataset("*/sweep/valid_auprc", ("fits",), "float64", "", "on validation sites: test sites are not used"),
    Dataset("*/sweep/valid_accuracy", ("fits",), "float64", "", "the same, of several classes", required=False),
    Dataset("*/sweep/valid_r2", ("fits",), "float64", "", "the same, of values", required=False),
    Dataset("*/calibration/edge_log_odds", ("bins",), "float64", "log odds", "lowest log odds in each bin, test sites"),
    Dataset("*/calibration/predicted", ("bins",), "float64", "", "mean predicted probability"),
    Dataset("*/calibration/observed", ("bins",), "float64", "", "fraction of true sites"),
    Dataset("*/calibration/sites", ("bins",), "int64", "", "test sites in the bin"),
    Dataset("*/edges/model", ("tests",), "string", "", "trained or untrained_k", required=False),
    Dataset("*/edges/direction", ("tests",), "string", "", "into or out of the peak, as it is read", required=False),
    Dataset("*/edges/layer", ("tests",), "int32", "", "from 0", required=False),
    Dataset("*/edges/edges", ("tests",), "int64", "", "edges of peaks with matched positions", required=False),
    Dataset("*/edges/value", ("tests",), "float64", "", "mean forget gate near the edges", required=False),
    Dataset("*/edges/matched", ("tests",), "float64", "", "near their matched positions", required=False),
    Dataset("*/edges/difference", ("tests",), "float64", "", "value - matched", required=False),
    Dataset("*/edges/low", ("tests",), "float64", "", "2.5 % point of it, block bootstrap", required=False),
    Dataset("*/edges/high", ("tests",), "float64", "", "97.5 % point", required=False),
    Dataset("*/edges/sd", ("tests",), "float64", "", "standard deviation over matched positions", required=False),
    Dataset("*/edges/p", ("tests",), "float64", "", "two-sided, permutation within matched sets", required=False),
    Dataset("*/edges/p_adjusted", ("tests",), "float64", "", "Bonferroni over this table", required=False),
    Dataset("*/places/chain", ("sites",), "int64", "index", "protein that each site lies in", required=False),
    Dataset("*/places/residues", ("sites",), "int64", "residue", "t: residues of it read so far", required=False),
    Dataset("*/chains/name", ("chains",), "string", "", "of each protein", required=False),
    Dataset("*/chains/part", ("chains",), "int8", "", "0 train, 1 valid, 2 test", required=False),
    Dataset("*/chains/cluster", ("chains",), "int64", "index", "proteins of one cluster share k-mers", required=False),
    Dataset("*/chains/residues", ("chains",), "int64", "residue", "length", required=False),
    Dataset("*/profiles/offset", ("offsets",), "int64", "bp", "as read; 0 is the first base beyond it", required=False),
    Dataset("*/profiles/forget", ("tests", "offsets"), "float64", "", "mean forget gate at edges", required=False),
    Dataset("*/profiles/matched", ("tests", "offsets"), "float64", "", "at matched positions", required=False),
)

COUNTS = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("samples/name", ("samples",), "string", "", "name of each sample, in the order given"),
    Dataset("sites/contig", ("sites",), "int32", "index", "contig of each site"),
    Dataset("sites/position", ("sites",), "int64", "bp", "0-based; of the forward C where a CpG's strands are merged"),
    Dataset("sites/strand", ("sites",), "int8", "", "+1 or -1; 0 where the strands are merged"),
    Dataset("sites/modified", ("sites", "samples"), "int32", "reads", "reads that are modified"),
    Dataset("sites/covered", ("sites", "samples"), "int32", "reads", "reads that are modified or canonical"),
)

METHYLATION = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the counts, in their order"),
    Dataset("samples/name", ("samples",), "string", "", "name of each sample, in the order of age"),
    Dataset("samples/elapsed", ("samples",), "float64", "hour or division", "age of each sample, offset included"),
    Dataset("sites/contig", ("sites",), "int32", "index", "contig of each site"),
    Dataset("sites/position", ("sites",), "int64", "bp", "0-based, as in the counts"),
    Dataset("sites/strand", ("sites",), "int8", "", "+1 or -1; 0 where the strands are merged"),
    Dataset("sites/modified", ("sites", "samples"), "int32", "reads", "what was fitted: reads that are modified"),
    Dataset("sites/covered", ("sites", "samples"), "int32", "reads", "reads that are modified or canonical"),
    *(
        Dataset(
            f"sites/{name.format(unit)}{end}", ("sites",), "float64", measured.format(unit), f"{meaning}{of}", False
        )
        for unit in ("hour", "division")
        for name, measured, meaning in (
            ("rate_per_{}", "1/{}", "k: rate at which the state nears its steady fraction"),
            ("half_life_{}s", "{}", "ln 2 / k"),
        )
        for end, of in (("", ""), ("_low", "; lower end of its interval"), ("_high", "; upper end"))
    ),
    Dataset("sites/steady_fraction", ("sites",), "float64", "fraction", "g: where the state rests"),
    Dataset("sites/steady_fraction_low", ("sites",), "float64", "fraction", "lower end of its interval"),
    Dataset("sites/steady_fraction_high", ("sites",), "float64", "fraction", "upper end"),
    Dataset("sites/start_fraction", ("sites",), "float64", "fraction", "state when the clock starts"),
    Dataset("sites/log_likelihood", ("sites",), "float64", "nats", "of the site's reads at the fit"),
    Dataset("sites/reads", ("sites",), "int64", "reads", "of all samples"),
    Dataset("sites/flags", ("sites",), "uint16", "bits", "what cannot be estimated; attribute flag_names has the bits"),
    Dataset("posterior/rate", ("grid",), "float64", "1/unit", "k of each point of the pooled model's grid", False),
    Dataset("posterior/steady", ("grid",), "float64", "fraction", "g of each point", False),
    Dataset("posterior/draws", ("sites", "draws"), "uint16", "index", "equally likely grid points of each site", False),
    Dataset("held_out/hold_out", ("scores",), "string", "", "what was held out, as time:4", False),
    Dataset("held_out/what", ("scores",), "string", "", "all, or sites by their number of training reads"),
    Dataset("held_out/model", ("scores",), "string", "", "what was fitted to the training reads"),
    Dataset("held_out/log_likelihood", ("scores",), "float64", "nats/read", "mean over held-out reads"),
    Dataset("held_out/reads", ("scores",), "int64", "reads", "held out"),
    Dataset("held_out/against", ("scores",), "string", "", "model that it is compared with"),
    Dataset("held_out/difference", ("scores",), "float64", "nats/read", "this model less the other, same reads"),
    Dataset("held_out/low", ("scores",), "float64", "nats/read", "2.5 % point, paired block bootstrap"),
    Dataset("held_out/high", ("scores",), "float64", "nats/read", "97.5 % point"),
)

SCORE = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("contigs/seen", ("contigs",), "int8", "", "1 trained on, 0 not, -1 unknown: another genome's model"),
    Dataset("stretches/contig", ("stretches",), "int32", "index", "contig of each stretch that was scored"),
    Dataset("stretches/start", ("stretches",), "int64", "bp", "0-based start"),
    Dataset("stretches/end", ("stretches",), "int64", "bp", "half-open end"),
    Dataset("stretches/first", ("stretches",), "int64", "bp", "place of its first base in bits/*"),
    Dataset("bits/forward", ("bases",), "float32", "bits", "-log2 P(base | all bases before it); NaN where it is N"),
    Dataset(
        "bits/reverse",
        ("bases",),
        "float32",
        "bits",
        "the same for the reverse complement, at the forward place",
        required=False,
    ),
    Dataset(
        "probabilities/forward", ("bases", "letters"), "float16", "", "of A, C, G and T, given all bases before", False
    ),
    Dataset(
        "probabilities/reverse",
        ("bases", "letters"),
        "float16",
        "",
        "given all bases after, by the forward strand's letter",
        required=False,
    ),
    Dataset("summary/symbols", ("contigs", "strands", "2"), "int64", "", "known bases, not and soft-masked"),
    Dataset("summary/bits", ("contigs", "strands", "2"), "float64", "bits/base", "their mean; NaN where there is none"),
    *_bits("parts"),
    Dataset("calibration/lower", ("bins",), "float64", "", "lower edge of the predicted probability"),
    Dataset("calibration/sampled", ("bins",), "int64", "", "symbols x bases, of every eighth base"),
    Dataset("calibration/predicted", ("bins",), "float64", "", "mean predicted probability"),
    Dataset("calibration/observed", ("bins",), "float64", "", "fraction that came"),
    *_classes("classes", "their mean"),
    *_recall("recall_bits"),
    *_classes("recall_classes", "mean that recall gained over the network alone"),
    *(
        Dataset(f"recall/{name}/{strand}", ("bases",), "float32", unit, meaning, required=False)
        for name, unit, meaning in (
            ("gain", "bits", "that recall gained over the network alone; NaN where it did not read"),
            ("matched", "bp", "bases since the last miss of the longest match before the base; 0 without one"),
            ("distance", "bp", "to the base that it was expected from, on the same contig; else NaN"),
        )
        for strand in ("forward", "reverse")
    ),
    *_seams("seams", "seams", "burned-in against true state"),
    *_seams("leads", "leads", "after the whole warm-up against half of it"),
)

HIDDEN = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("sites/contig", ("sites",), "int32", "index", "contig of each site"),
    Dataset("sites/start", ("sites",), "int64", "bp", "0-based start"),
    Dataset("sites/end", ("sites",), "int64", "bp", "half-open end"),
    Dataset("sites/strand", ("sites",), "int8", "", "+1 or -1; 0 was read as +1"),
    Dataset("sites/name", ("sites",), "string", "", "name in the BED file, '.' without one"),
    Dataset("features/pass", ("features",), "string", "", "own: along the site's strand; other: along the other one"),
    Dataset("features/layer", ("features",), "int32", "", "0 reads the bases"),
    Dataset("features/part", ("features",), "string", "", "h: hidden state; c: memory"),
    Dataset("features/unit", ("features",), "int32", "", "0-based unit"),
    Dataset(
        "features/pool",
        ("features",),
        "string",
        "",
        "last: when the pass has read the whole site; mean, max: over the states after its bases; absent: all last",
        required=False,
    ),
    Dataset("states", ("sites", "features"), "float16", "", "after each pass has read the whole site"),
)

TRACK = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("contigs/first", ("contigs",), "int64", "index", "first of the contig's runs; the next contig's end them"),
    Dataset("contigs/observed", ("contigs",), "uint8", "", "0 where the input does not know the contig: no count is 0"),
    Dataset("runs/start", ("runs",), "int64", "bp", "0-based start of a stretch of one count; ascending"),
    Dataset("runs/length", ("runs",), "int32", "bp", "its length; what lies between runs counts 0"),
    Dataset("runs/count", ("runs",), "int32|float32", "cuts, reads or signal", "value at each of its bases, > 0"),
    Dataset("blacklist/contig", ("intervals",), "int32", "index", "contig of each interval that was not observed"),
    Dataset("blacklist/start", ("intervals",), "int64", "bp", "0-based start; sorted, disjoint"),
    Dataset("blacklist/end", ("intervals",), "int64", "bp", "half-open end"),
)

GATES = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("stretches/contig", ("stretches",), "int32", "index", "contig of each stretch that was read"),
    Dataset("stretches/start", ("stretches",), "int64", "bp", "0-based start"),
    Dataset("stretches/end", ("stretches",), "int64", "bp", "half-open end"),
    Dataset("stretches/first", ("stretches",), "int64", "index", "where its samples begin along the tracks"),
    Dataset("stretches/first_position", ("stretches",), "int64", "bp", "0-based, of its first sample"),
    Dataset(
        "tracks/forget", ("samples", "strands", "layers"), "float32", "",
        "mean forget gate over units in the step that reads the base; forward, reverse; NaN where it is not read",
        required=False,
    ),
    Dataset(
        "tracks/half_life", ("samples", "strands", "layers"), "float32", "bp",
        "realised half-life along the genome: ln 0.5 / mean ln f over units", required=False,
    ),
    Dataset(
        "tracks/novelty", ("samples", "strands", "layers"), "float32", "",
        "distance of h before and after the base is read, divided by the root of the number of units",
    ),
    Dataset("units/*/mean", ("layers", "units"), "float64", "", "mean of a factor over all samples"),
    Dataset("units/*/sd", ("layers", "units"), "float64", "", "standard deviation over all samples"),
    Dataset("units/*/above", ("layers", "units"), "float64", "", "fraction of samples of a gate above 0.9", False),
    Dataset("units/*/below", ("layers", "units"), "float64", "", "fraction below 0.1", False),
    Dataset("half_life/nominal", ("layers", "units"), "float64", "bp", "ln 0.5 / ln sigmoid(bias)", required=False),
    Dataset("half_life/realised", ("layers", "units"), "float64", "bp", "ln 0.5 / mean ln f", required=False),
    Dataset("resets/contig", ("resets",), "int32", "index", "contig of each reset"),
    Dataset("resets/start", ("resets",), "int64", "bp", "0-based"),
    Dataset("resets/end", ("resets",), "int64", "bp", "half-open, start + 1"),
    Dataset("resets/strand", ("resets",), "int8", "", "strand that was read, +1 or -1"),
    Dataset("resets/layer", ("resets",), "int32", "", "from 0"),
    Dataset("resets/forget", ("resets",), "float32", "", "mean forget gate over units there"),
    Dataset("memory/reset_every", ("ks",), "int64", "bp", "K: the state is emptied every K bases", required=False),
    Dataset("memory/bits", ("ks",), "float64", "bits/base", "on the same bases for every K", required=False),
    Dataset("memory/excess", ("ks",), "float64", "bits/base", "over the largest K", required=False),
    Dataset("memory/low", ("ks",), "float64", "bits/base", "2.5 % point of it, paired block bootstrap", required=False),
    Dataset("memory/high", ("ks",), "float64", "bits/base", "97.5 % point", required=False),
    Dataset("windows/contig", ("windows",), "int32", "index", "where functional memory was measured", required=False),
    Dataset("windows/start", ("windows",), "int64", "bp", "0-based start", required=False),
    Dataset("windows/end", ("windows",), "int64", "bp", "half-open end", required=False),
    Dataset("lyapunov/contig", ("places",), "int32", "index", "contig of each place measured", required=False),
    Dataset("lyapunov/position", ("places",), "int64", "bp", "0-based, where measuring began", required=False),
    Dataset(
        "lyapunov/exponent", ("places",), "float64", "1/bp", "largest, of the whole state; below 0 it forgets", False
    ),
    Dataset("edges/kind", ("tests",), "string", "", "kind of boundary", required=False),
    Dataset("edges/direction", ("tests",), "string", "", "into or out of the feature, as it is read", required=False),
    Dataset("edges/layer", ("tests",), "int32", "", "from 0", required=False),
    Dataset("edges/measure", ("tests",), "string", "", "what was compared", required=False),
    Dataset("edges/boundaries", ("tests",), "int64", "", "boundaries with matched positions", required=False),
    Dataset("edges/value", ("tests",), "float64", "", "mean at the boundaries", required=False),
    Dataset("edges/matched", ("tests",), "float64", "", "mean at their matched positions", required=False),
    Dataset("edges/difference", ("tests",), "float64", "", "value - matched", required=False),
    Dataset("edges/low", ("tests",), "float64", "", "2.5 % point of it, block bootstrap", required=False),
    Dataset("edges/high", ("tests",), "float64", "", "97.5 % point", required=False),
    Dataset("edges/sd", ("tests",), "float64", "", "standard deviation over matched positions", required=False),
    Dataset("edges/p", ("tests",), "float64", "", "two-sided, permutation within matched sets", required=False),
    Dataset("edges/p_adjusted", ("tests",), "float64", "", "Bonferroni over this table", required=False),
    Dataset("profiles/kind", ("profiles",), "string", "", "kind of boundary", required=False),
    Dataset("profiles/direction", ("profiles",), "string", "", "into or out of the feature", required=False),
    Dataset("profiles/layer", ("profiles",), "int32", "", "from 0", required=False),
    Dataset("profiles/offset", ("offsets",), "int64", "bp", "0 is the first base read beyond it", required=False),
    Dataset("profiles/forget", ("profiles", "offsets"), "float64", "", "mean at boundaries", required=False),
    Dataset("profiles/matched", ("profiles", "offsets"), "float64", "", "mean at matched positions", required=False),
    Dataset(
        "dump/*", ("bases", "strands", "layers", "units"), "float32", "",
        "every factor, h (hidden) and c (memory) at each base of one region, after the base is read", required=False,
    ),
)  # fmt: skip

STUDY = (
    Dataset("*/claims/name", ("claims",), "string", "", "short name of each claim of the study"),
    Dataset("*/claims/statement", ("claims",), "string", "", "the claim"),
    Dataset("*/claims/holds", ("claims",), "uint8", "", "1 where the numbers bear it out, 0 where they do not"),
    Dataset("*/claims/value", ("claims",), "float64", "as claims/unit", "the number that decides"),
    Dataset("*/claims/low", ("claims",), "float64", "as claims/unit", "lower end of its 95 % interval; NaN without"),
    Dataset("*/claims/high", ("claims",), "float64", "as claims/unit", "upper end"),
    Dataset("*/claims/unit", ("claims",), "string", "", "unit of value, low and high"),
    Dataset("*/claims/because", ("claims",), "string", "", "how the number decides"),
    Dataset("*/claims/p", ("claims",), "float64", "", "two-sided, uncorrected; NaN: no interval decides", False),
    Dataset(
        "*/tables/*/*",
        ("*",),
        "float64|int64|string",
        "attribute",
        "what was measured; unit and meaning are attributes",
        False,
    ),
)


def _estimates(group: str, axis: str, *text: tuple[str, str]) -> tuple[Dataset, ...]:
    """Table of values with intervals, named by columns of text, (name, meaning) each."""
    return (
        *(Dataset(f"{group}/{name}", (axis,), "string", "", meaning) for name, meaning in text),
        Dataset(f"{group}/value", (axis,), "float64", "as measure", "on what all files share"),
        Dataset(f"{group}/low", (axis,), "float64", "as measure", "2.5 % point; NaN without an interval"),
        Dataset(f"{group}/high", (axis,), "float64", "as measure", "97.5 % point"),
    )


_OF_WHAT = (
    ("target", "what was probed, or which bases were scored"),
    ("measure", "auprc, accuracy or r2 of the trained states; gain in it over the best control; bits a base"),
)
COMPARISON = (
    Dataset("files/name", ("files",), "string", "", "files compared, in the order given"),
    Dataset("files/group", ("files",), "string", "", "setting that the file is of; its own name where it is alone"),
    Dataset("files/sha256", ("files",), "string", "", "SHA-256 of the file"),
    Dataset("shared/target", ("targets",), "string", "", "what was probed, or which bases were scored"),
    Dataset("shared/rows", ("targets",), "int64", "site or bp", "test sites or known bases that all files share"),
    Dataset("shared/blocks", ("targets",), "int64", "", "blocks that they lie in, which are resampled together"),
    *_estimates("values", "values", ("file", "of files/name"), *_OF_WHAT),
    *_estimates("groups", "groups", ("group", "of files/group"), *_OF_WHAT),
    Dataset("groups/files", ("groups",), "int64", "", "files of the group, a seed each"),
    Dataset("groups/sd", ("groups",), "float64", "as measure", "standard deviation over files; NaN of a single one"),
    *_estimates(
        "differences", "differences", ("one", "group"), ("other", "group that it is held against"), *_OF_WHAT,
        ("verdict", "one is better, worse, no difference; cannot tell; not judged: no paired interval"),
    ),
    Dataset("differences/p", ("differences",), "float64", "", "two-sided, of the resamples; NaN without an interval"),
    Dataset("differences/p_adjusted", ("differences",), "float64", "", "Holm, over all differences of one measure"),
)  # fmt: skip

VARIANTS = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("stretches/contig", ("stretches",), "int32", "index", "contig of each stretch whose bases were changed"),
    Dataset("stretches/start", ("stretches",), "int64", "bp", "0-based start"),
    Dataset("stretches/end", ("stretches",), "int64", "bp", "half-open end"),
    Dataset("stretches/first", ("stretches",), "int64", "index", "where its bases begin along the others"),
    Dataset("changes/reference", ("bases",), "uint8", "code", "the genome's own base: 0 A, 1 C, 2 G, 3 T, 4 N"),
    Dataset("changes/seen", ("bases",), "uint8", "", "1 where the model was trained on the base: not held out"),
    Dataset(
        "changes/log_ratio", ("bases", "strands", "letters"), "float64", "bits",
        "log2 P(changed) - log2 P(as it is) over the base and the window after it; NaN for the genome's own base and N",
    ),
    Dataset(
        "changes/markov_log_ratio", ("bases", "strands", "letters"), "float64", "bits",
        "the same ratio by an interpolated Markov model", required=False,
    ),
    Dataset(
        "changes/percentile", ("bases", "letters"), "float32", "per cent",
        "of changes of the same substitution and trinucleotide that are less likely", required=False,
    ),
    Dataset("changes/shift", ("bases", "strands", "letters"), "float32", "", "distance of hidden states after it"),
)  # fmt: skip

PREDICTION = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("contigs/flags", ("contigs",), "uint8", "", "what has met it, bits by attribute flag_names; 0: held out"),
    Dataset("*/candidates/contig", ("candidates",), "int32", "index", "contig of each candidate"),
    Dataset(
        "*/candidates/position", ("candidates",), "int64", "bp",
        "0-based: the G of a donor's GT, the G of an acceptor's AG, the point, the first base of a window",
    ),
    Dataset("*/candidates/end", ("candidates",), "int64", "bp", "half-open end of a window; points have none", False),
    Dataset("*/candidates/strand", ("candidates",), "int8", "", "+1 or -1; 0 for a window"),
    Dataset("*/candidates/flags", ("candidates",), "uint8", "", "those of its contig"),
    Dataset("*/candidates/log_odds", ("candidates",), "float32", "log odds", "calibrated, at the natural ratio", False),
    Dataset("*/candidates/probability", ("candidates",), "float32", "", "of being a true site, the same", False),
    Dataset("*/candidates/class_log_odds", ("candidates", "classes"), "float32", "log odds", "of each class", False),
    Dataset("*/candidates/class_probability", ("candidates", "classes"), "float32", "", "of each class", False),
    Dataset("*/candidates/predicted", ("candidates",), "float32", "", "value, where values are predicted", False),
    Dataset("*/reliability/group", ("bins",), "string", "", "rows of the probe's test part, or judged contigs", False),
    Dataset("*/reliability/lower", ("bins",), "float64", "", "lower edge of probability", False),
    Dataset("*/reliability/upper", ("bins",), "float64", "", "upper edge", False),
    Dataset("*/reliability/predicted", ("bins",), "float64", "", "mean probability, rows as often as in nature", False),
    Dataset("*/reliability/observed", ("bins",), "float64", "", "fraction that is true, likewise", False),
    Dataset("*/reliability/positive", ("bins",), "int64", "", "true rows", False),
    Dataset("*/reliability/negative", ("bins",), "int64", "", "other rows", False),
    Dataset("*/judged/group", ("judged",), "string", "", "contig, or contigs together by what has met them", False),
    Dataset("*/judged/met", ("judged",), "string", "", "what has met it", False),
    Dataset("*/judged/candidates", ("judged",), "int64", "", "candidates", False),
    Dataset("*/judged/positive", ("judged",), "int64", "", "of them true by the labels", False),
    Dataset("*/judged/lost", ("judged",), "int64", "", "true sites that are no candidates", False),
    Dataset("*/judged/auprc", ("judged",), "float64", "", "over all candidates; NaN without true ones", False),
    Dataset("*/judged/low", ("judged",), "float64", "", "2.5 % point of it, block bootstrap; NaN: not measured", False),
    Dataset("*/judged/high", ("judged",), "float64", "", "97.5 % point", False),
    Dataset("*/judged/topk", ("judged",), "float64", "", "precision among as many as are true", False),
    Dataset("*/judged/precision", ("judged",), "float64", "", "of candidates of probability 0.5 or more", False),
    Dataset("*/judged/recall", ("judged",), "float64", "", "the same, of true candidates", False),
    Dataset("*/judged/expected", ("judged",), "float64", "", "sum of all probabilities", False),
    Dataset("*/judged/calibration_error", ("judged",), "float64", "", "expected calibration error", False),
    Dataset("*/curve/group", ("points",), "string", "", "contigs together by what has met them", False),
    Dataset("*/curve/probability", ("points",), "float64", "", "least probability", False),
    Dataset("*/curve/recall", ("points",), "float64", "", "of candidates of at least that", False),
    Dataset("*/curve/precision", ("points",), "float64", "", "the same", False),
)  # fmt: skip

DEPENDENCIES = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the genome, in its order"),
    Dataset("contigs/length", ("contigs",), "int64", "bp", "length"),
    Dataset("stretches/contig", ("stretches",), "int32", "index", "contig of each stretch that was read"),
    Dataset("stretches/start", ("stretches",), "int64", "bp", "0-based start"),
    Dataset("stretches/end", ("stretches",), "int64", "bp", "half-open end"),
    Dataset("stretches/first", ("stretches",), "int64", "index", "where its bases begin along the others"),
    Dataset("map/reference", ("bases",), "uint8", "code", "the genome's own base: 0 A, 1 C, 2 G, 3 T, 4 N", False),
    Dataset("map/distance", ("window",), "int64", "bp", "from the changed base to the other one", False),
    Dataset(
        "map/forward", ("bases", "window"), "float32", "bits",
        "largest change of log2 odds of any base at i + distance by any change at i; NaN past the contig, or at N",
        required=False,
    ),
    Dataset(
        "map/reverse", ("bases", "window"), "float32", "bits",
        "the same at i - distance, from the pass over the reverse complement", required=False,
    ),
    Dataset("features/contig", ("features",), "int32", "index", "contig of a piece of the annotation", False),
    Dataset("features/start", ("features",), "int64", "bp", "0-based start", False),
    Dataset("features/end", ("features",), "int64", "bp", "half-open end", False),
    Dataset("features/strand", ("features",), "int8", "", "+1 or -1", False),
    Dataset("features/kind", ("features",), "string", "", "CDS, UTR, noncoding exon or intron", False),
    Dataset("blocks/contig", ("blocks",), "int32", "index", "contig of a block off the diagonal", False),
    Dataset("blocks/start", ("blocks",), "int64", "bp", "0-based start of its first bases", False),
    Dataset("blocks/end", ("blocks",), "int64", "bp", "half-open end", False),
    Dataset("blocks/other_start", ("blocks",), "int64", "bp", "0-based start of the bases it joins them with", False),
    Dataset("blocks/other_end", ("blocks",), "int64", "bp", "half-open end", False),
    Dataset("blocks/value", ("blocks",), "float64", "bits", "sum of the square, both directions", False),
    Dataset("blocks/matched", ("blocks",), "float64", "bits", "median: same middle bases, about same distance", False),
    Dataset("blocks/z", ("blocks",), "float64", "", "beyond these, in 1.4826 MAD, as corrected", False),
    Dataset("blocks/pairs", ("blocks",), "int64", "", "pairs that it is held against", False),
    Dataset("blocks/p", ("blocks",), "float64", "", "by rank among these; not corrected for the choice", False),
    Dataset("introns/contig", ("introns",), "int32", "index", "contig of an intron", False),
    Dataset("introns/donor", ("introns",), "int64", "bp", "0-based, the G of GT", False),
    Dataset("introns/acceptor", ("introns",), "int64", "bp", "0-based, the G of AG", False),
    Dataset("introns/strand", ("introns",), "int8", "", "+1 or -1", False),
    Dataset("introns/value", ("introns",), "float64", "bits", "mean D between GT and AG, both directions", False),
    Dataset("introns/matched", ("introns",), "float64", "bits", "mean of its matched GT..AG pairs; NaN: none", False),
    Dataset("introns/random_value", ("introns",), "float64", "bits", "by the random-init model", False),
    Dataset("introns/random_matched", ("introns",), "float64", "bits", "by the random-init model", False),
    Dataset("tests/model", ("tests",), "string", "", "trained or random_init", False),
    Dataset("tests/introns", ("tests",), "int64", "", "introns with matched pairs", False),
    Dataset("tests/pairs", ("tests",), "int64", "", "matched pairs", False),
    Dataset("tests/value", ("tests",), "float64", "bits", "mean over introns", False),
    Dataset("tests/matched", ("tests",), "float64", "bits", "mean over their matched pairs", False),
    Dataset("tests/difference", ("tests",), "float64", "bits", "value - matched", False),
    Dataset("tests/low", ("tests",), "float64", "bits", "2.5 % point, block bootstrap", False),
    Dataset("tests/high", ("tests",), "float64", "bits", "97.5 % point", False),
    Dataset("tests/verdict", ("tests",), "string", "", "coupled, no coupling, less than matched pairs, or none", False),
)  # fmt: skip

CONTRAST = (
    Dataset("contigs/name", ("contigs",), "string", "", "contigs of the counts, in their order"),
    Dataset("groups/name", ("groups",), "string", "", "the two groups of samples, first and second"),
    Dataset("samples/name", ("samples",), "string", "", "group, time and replicate of each sample"),
    Dataset("samples/group", ("samples",), "int8", "index", "group of each sample"),
    Dataset("samples/elapsed", ("samples",), "float64", "hour or division", "age of each sample, offset included"),
    Dataset("rows/contig", ("rows",), "int32", "index", "contig of each site or region that was compared"),
    Dataset("rows/start", ("rows",), "int64", "bp", "0-based"),
    Dataset("rows/end", ("rows",), "int64", "bp", "half-open end"),
    Dataset("rows/strand", ("rows",), "int8", "", "+1 or -1; 0 of a region, or where the strands are merged"),
    Dataset("rows/name", ("rows",), "string", "", "of a region", False),
    Dataset("rows/reads", ("rows", "groups"), "int64", "reads", "of all samples of the group"),
    *(
        Dataset(
            f"rows/{name.format(unit)}{end}", ("rows", "groups"), "float64", measured.format(unit), f"{meaning}{of}",
            required,
        )
        for unit, name, measured, meaning, required in (
            ("hour", "rate_per_{}", "1/{}", "k of the group", False),
            ("division", "rate_per_{}", "1/{}", "k of the group", False),
            ("hour", "half_life_{}s", "{}", "ln 2 / k", False),
            ("division", "half_life_{}s", "{}", "ln 2 / k", False),
            ("", "steady_fraction", "fraction", "g of the group", True),
        )
        for end, of in (("", ""), ("_low", "; lower end of its interval"), ("_high", "; upper end"))
    ),
    *(
        Dataset(f"rows/{name}{end}", ("rows",), "float64", unit, f"{meaning}{of}")
        for name, unit, meaning in (
            ("log2_rate_ratio", "log2", "k of the second group over that of the first"),
            ("steady_difference", "fraction", "g of the second group less that of the first"),
        )
        for end, of in (("", ""), ("_low", "; lower end of its interval"), ("_high", "; upper end"))
    ),
    Dataset("rows/rate_p", ("rows",), "float64", "", "of the same k in both groups, by likelihood ratio"),
    Dataset("rows/rate_q", ("rows",), "float64", "", "smallest false discovery rate at which it is found"),
    Dataset("rows/steady_p", ("rows",), "float64", "", "of the same g in both groups"),
    Dataset("rows/steady_q", ("rows",), "float64", "", "smallest false discovery rate at which it is found"),
    Dataset("rows/p", ("rows",), "float64", "", "of the same k and g in both groups"),
    Dataset("rows/q", ("rows",), "float64", "", "smallest false discovery rate at which it is found"),
)  # fmt: skip

SCHEMA: dict[Kind, tuple[Dataset, ...]] = {
    Kind.GENOME: GENOME,
    Kind.CHECKPOINT: CHECKPOINT,
    Kind.PROBE: PROBE,
    Kind.TRACK: TRACK,
    Kind.SCORE: SCORE,
    Kind.HIDDEN: HIDDEN,
    Kind.GATES: GATES,
    Kind.COUNTS: COUNTS,
    Kind.METHYLATION: METHYLATION,
    Kind.STUDY: STUDY,
    Kind.COMPARISON: COMPARISON,
    Kind.VARIANTS: VARIANTS,
    Kind.PREDICTION: PREDICTION,
    Kind.DEPENDENCIES: DEPENDENCIES,
    Kind.CONTRAST: CONTRAST,
}


def row_for(kind: Kind, path: str) -> Dataset | None:
    """The table row that a dataset path follows, or None."""
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
        if type_name(item) not in matched.dtype.split("|"):
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
        if not name.startswith("*") and length != expected:
            return [f"{path} has {length} {'entries' if name.isdigit() else name}, not {expected}"]
    return []


def type_name(item: h5py.Dataset) -> str:
    """NumPy type name of a dataset, or 'string'."""
    return "string" if h5py.check_string_dtype(item.dtype) is not None else np.dtype(item.dtype).name
