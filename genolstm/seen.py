"""What of a genome a model was trained on, recognised by sequence: names mean nothing.

A model file holds a hash of each contig and each stretch of its split, and a sample of the canonical k-mers of its
training part: the smallest hashes, which sample the same k-mers of every sequence (FracMinHash; Irber et al. 2022).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Alphabet, Codes
from genolstm.regions import Part, Stretches, stretches_from_rows
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.store.lineage import TrainedOn, TrainingSequence

K = {"dna": 31, "protein": 10}  # symbols of a k-mer: a number of 62 bits or fewer
SAMPLE = 1 << 14  # k-mers kept of the training part: 128 KiB of a model file
# 95 % identity bounds a species (Jain et al. 2018): 0.95 ** 31 of the 31-mers are then the same
NEAR_DUPLICATE_FRACTION = 0.2
WITHIN_FRACTION = 0.5  # of the k-mers of one slab: that much of it was trained on, whatever lies around
NAMES_SHOWN = 6
FEWEST_KMERS = 20  # sampled k-mers of a contig from which a fraction is estimated
SLAB = 1 << 18  # symbols hashed at a time
SLABS_PER_CONTIG = 16  # a longer contig is sampled in as many places
SLABS_PER_GENOME = 256
DIGEST = 16  # bytes
Hashes = NDArray[np.uint64]
EVERYTHING = np.uint64(2**64 - 1)


def training_sequence(genome: Genome, split: Stretches) -> TrainingSequence:
    """Hashes in a model file by which its training sequence is recognised."""
    first = genome.starts[split.contig]
    spans = zip((first + split.start).tolist(), (first + split.end).tolist(), strict=True)
    training = split.of(Part.TRAIN)
    kmers, below = _sample(genome, training)
    return TrainingSequence(
        contigs=_digests((_codes(genome, contig) for contig in range(len(genome.names))), genome),
        stretches=_digests((genome.all_codes[start:end] for start, end in spans), genome),
        kmers=kmers,
        below=below,
    )


def _codes(genome: Genome, contig: int) -> Codes:
    start = int(genome.starts[contig])
    return genome.all_codes[start : start + int(genome.lengths[contig])]


def _digests(sequences: Iterable[Codes], genome: Genome) -> NDArray[np.uint8]:
    """Hash of each sequence, uint8 [n, DIGEST]."""
    digests, unreleased = [], 0
    for codes in sequences:
        digests.append(_digest(codes))
        unreleased += len(codes)
        if unreleased >= SLAB:
            genome.release()
            unreleased = 0
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST).copy()


def _digest(codes: Codes) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(codes).data, digest_size=DIGEST).digest()


def _sample(genome: Genome, training: Stretches) -> tuple[Hashes, np.uint64]:
    """The smallest hashes of the k-mers of some stretches, sorted, and the bound below which all of them are."""
    # four times as many as are kept, so that repeats leave enough
    below = _bound(4 * SAMPLE / max(1, training.bases))
    found, k = [np.zeros(0, dtype=np.uint64)], K[genome.alphabet.name]
    first = genome.starts[training.contig]
    slab, held = list[Codes](), 0
    for start, end in zip((first + training.start).tolist(), (first + training.end).tolist(), strict=True):
        for at in range(start, end, SLAB):
            slab.append(genome.all_codes[at : min(end, at + SLAB + k - 1)])
            held += len(slab[-1])
            if held >= SLAB:
                found.append(_hashes(_apart(slab, genome.alphabet), genome, below))
                genome.release()
                slab, held = [], 0
    if slab:
        found.append(_hashes(_apart(slab, genome.alphabet), genome, below))
    kmers = np.unique(np.concatenate(found))
    if len(kmers) > SAMPLE:
        below, kmers = kmers[SAMPLE], kmers[:SAMPLE]
    return kmers, np.uint64(below)


def _apart(sequences: list[Codes], alphabet: Alphabet) -> Codes:
    """Sequences end to end with an unknown symbol between them, which no k-mer spans."""
    between = np.array([alphabet.unknown], dtype=np.uint8)
    return np.concatenate([part for codes in sequences for part in (codes, between)])


def _bound(fraction: float) -> np.uint64:
    return EVERYTHING if fraction >= 1 else np.uint64(fraction * float(EVERYTHING))


def _hashes(codes: Codes, genome: Genome, below: np.uint64) -> Hashes:
    """Hashes of the canonical k-mers of some codes that are smaller than a bound, distinct and sorted."""
    hashed = _mixed(canonical_kmers(codes, genome.alphabet))
    return np.unique(hashed[hashed < below])


def canonical_kmers(codes: Codes, alphabet: Alphabet) -> Hashes:
    """Number of each k-mer without unknown symbols, the smaller of its two strands' where there are two."""
    k, n_known = K[alphabet.name], alphabet.n_known
    if len(codes) < k:
        return np.zeros(0, dtype=np.uint64)
    unknown = np.append(0, np.cumsum(codes >= n_known))
    known = unknown[k:] == unknown[:-k]
    digits = codes.astype(np.uint64) % np.uint64(n_known)
    kmers = _numbers(digits, k, n_known)
    if alphabet.complement is not None:
        paired = alphabet.complement[codes][::-1].astype(np.uint64) % np.uint64(n_known)
        kmers = np.minimum(kmers, _numbers(paired, k, n_known)[::-1])
    there: Hashes = kmers[known]
    return there


def _numbers(digits: Hashes, k: int, base: int) -> Hashes:
    """Number of the k digits from each place on, the first most significant: [n - k + 1]."""
    count, size = len(digits) - k + 1, 1
    numbers, covered = np.zeros(count, dtype=np.uint64), 0
    while True:
        if k & size:
            numbers = numbers * np.uint64(base**size) + digits[covered : covered + count]
            covered += size
        if covered == k:
            return numbers
        digits = digits[:-size] * np.uint64(base**size) + digits[size:]
        size *= 2


def _mixed(numbers: Hashes) -> Hashes:
    """Spread numbers evenly over 64 bits (splitmix64; Steele et al. 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A genome beside what a model was trained on.

    split : the model's split, as far as its contigs and stretches are in this genome, whatever they are called.
    complete : all that it was trained on is in this genome; of several genomes, all of one of them.
    recognised : contigs that are in the model's split.
    near : contig index -> fraction of its k-mers that the training part shares, for near-duplicates, and for contigs
    that hold a trained one among much else.
    known : False where the model file has no hashes and another genome was given, so that nothing can be known.
    unchecked : contigs of which too few k-mers were sampled to find a near-duplicate.
    """

    split: Stretches
    complete: bool
    recognised: NDArray[np.bool_]
    near: dict[int, float]
    known: bool = True
    unchecked: int = 0

    def trained(self, contig: int) -> bool:
        """Whether any base of a contig was trained on."""
        return bool((self.split.of(Part.TRAIN).contig == contig).any())

    def sentence(self, genome: str, model: str) -> str | None:
        """Warning about this genome; None where it is the model's own."""
        if not self.known:
            return (
                f"{genome} is not the genome file that {model} was trained on, and {model} holds no hashes of its"
                " training sequence (version 0.1.0, or an unfinished training): whether it was trained on any of this"
                " cannot be known"
            )
        if self.near:
            shown = list(self.near.items())[:NAMES_SHOWN]
            names = ", ".join(f"{self.split.contigs[contig]} ({100 * fraction:.0f} %)" for contig, fraction in shown)
            return (
                f"near-duplicates of what {model} was trained on, or holding some, by their common k-mers: {names}"
                f"{', ...' if len(self.near) > NAMES_SHOWN else ''}; nothing on them is held out"
            )
        if not self.recognised.any():
            return f"{model} comes from another genome than {genome}: it was trained on none of these contigs"
        return None


def seen_in(checkpoint: Checkpoint, genome: Genome) -> Seen:
    """What of a genome a model was trained on, or any model that it goes on from.

    Files of 0.1.0 hold that for their own genome file alone.
    """
    seen = _seen_by(checkpoint, genome)
    for ancestor in checkpoint.ancestors:
        seen = _by_both(seen, _seen_by(ancestor, genome))
    return seen


def _seen_by(model: TrainedOn, genome: Genome) -> Seen:
    """What of a genome one training read."""
    own, training = _own_split(model, genome), model.training
    if training is None and own is None:
        recognised = np.zeros(len(genome.names), dtype=np.bool_)
        return Seen(
            split=stretches_from_rows(genome.names, []), complete=False, recognised=recognised, near={}, known=False
        )
    if own is None and training is not None:
        seen = _recognised(model, training, genome)
    else:
        recognised = np.ones(len(genome.names), dtype=np.bool_)
        seen = Seen(split=own or stretches_from_rows(genome.names, []), complete=True, recognised=recognised, near={})
    if training is None:
        return seen
    near, unchecked = _near_duplicates(seen, training, genome)
    return replace(seen, near=near, unchecked=unchecked)


def _own_split(model: TrainedOn, genome: Genome) -> Stretches | None:
    """The split of a genome that is the training's own, by its hash; None for another, or for one of several.

    One of several is told by its sequence, as a contig may also be in another of them. Only an unfinished training,
    which has no hashes of contigs yet, is told by the hash of the one.
    """
    if model.genome_sha256 == genome.sha256:
        return model.split
    first = 0
    for record in model.genomes if model.training is None else ():
        if record.sha256 == genome.sha256:
            mine = model.split.only((model.split.contig >= first) & (model.split.contig < first + record.contigs))
            return replace(mine, contigs=genome.names, contig=(mine.contig - first).astype(np.int32))
        first += record.contigs
    return None


def _by_both(seen: Seen, before: Seen) -> Seen:
    """What two trainings read together: a base is for training where it was in either, else for validation, or test."""
    shares = {
        contig: max(seen.near.get(contig, 0.0), before.near.get(contig, 0.0)) for contig in {*seen.near, *before.near}
    }
    return Seen(
        split=merged_split(seen.split, before.split),
        complete=seen.complete or before.complete,
        recognised=seen.recognised | before.recognised,
        # also where the other training has blocks of the contig: those that it held out are near-duplicates too
        near=dict(sorted(shares.items())),
        known=seen.known and before.known,
        unchecked=max(seen.unchecked, before.unchecked),
    )


def merged_split(one: Stretches, other: Stretches) -> Stretches:
    """Two splits of the same contigs as one: where both have a base, the part is the first of train, valid and test."""
    rows: list[tuple[int, int, int, int]] = []
    for contig, group in groupby(sorted(one.rows + other.rows), key=itemgetter(0)):
        spans = [row[1:] for row in group]
        cuts = sorted({end for start, stop, _ in spans for end in (start, stop)})
        for start, end in pairwise(cuts):
            parts = [part for first, last, part in spans if first <= start and end <= last]
            if not parts:
                continue
            if rows and rows[-1][0] == contig and rows[-1][2] == start and rows[-1][3] == min(parts):
                rows[-1] = (contig, rows[-1][1], end, min(parts))
            else:
                rows.append((contig, start, end, min(parts)))
    return stretches_from_rows(one.contigs, rows)


def fraction_trained_on(checkpoint: Checkpoint, sequences: Codes, alphabet: Alphabet) -> float | None:
    """Estimate the fraction of the distinct k-mers of some sequences that are in a model's training part.

    sequences : [N, W].   None where the model file has no hashes, or too few k-mers were sampled.
    """
    training = checkpoint.training
    if training is None:
        return None
    hashed = [_mixed(canonical_kmers(codes, alphabet)) for codes in sequences]
    sampled = np.unique(np.concatenate([each[each < training.below] for each in hashed]))
    if len(sampled) < FEWEST_KMERS:
        return None
    return float(np.isin(sampled, training.kmers, assume_unique=True).mean())


def _recognised(model: TrainedOn, training: TrainingSequence, genome: Genome) -> Seen:
    """The model's split on the contigs of a genome whose sequence is that of one of its contigs or stretches."""
    split = model.split
    spans = split.end - split.start
    lengths = {*model.lengths.tolist(), *spans.tolist()}
    contig_of = _places(training.contigs)
    stretch_of = _places(training.stretches)
    by_contig = np.argsort(split.contig, kind="stable")
    ends = np.searchsorted(split.contig[by_contig], np.arange(len(split.contigs) + 1))
    rows: list[tuple[int, int, int, int]] = []
    recognised, found = np.zeros(len(genome.names), dtype=np.bool_), set()
    for contig, length in enumerate(genome.lengths.tolist()):
        if length not in lengths:
            continue
        digest = _digest(_codes(genome, contig))
        genome.release()
        here = [by_contig[ends[each] : ends[each + 1]] for each in contig_of.get(digest, ())]
        whole = stretch_of.get(digest, [])
        recognised[contig] = bool(here or whole)
        # of equal contigs in several parts, one that was trained on speaks for all
        chosen = min(here, key=lambda rows: split.part[rows].min(initial=len(Part)), default=np.zeros(0, np.int64))
        rows += [(contig, int(split.start[r]), int(split.end[r]), int(split.part[r])) for r in chosen.tolist()]
        if not len(chosen) and whole:
            rows.append((contig, 0, length, min(int(split.part[row]) for row in whole)))
        found |= {digest_of(training.stretches, row) for each in here for row in each.tolist()}
        found |= {digest_of(training.stretches, row) for row in whole}
    complete = any(wanted <= found for wanted in _trained_stretches(model, training))
    return Seen(split=stretches_from_rows(genome.names, rows), complete=complete, recognised=recognised, near={})


def _trained_stretches(model: TrainedOn, training: TrainingSequence) -> list[set[bytes]]:
    """Hashes of the training stretches of each genome of a model."""
    split = model.split
    ends = np.cumsum([genome.contigs for genome in model.genomes] or [len(split.contigs)])
    genome_of = np.searchsorted(ends, split.contig, side="right")
    return [
        {digest_of(training.stretches, row) for row in np.flatnonzero((split.part == Part.TRAIN) & mine).tolist()}
        for mine in (genome_of == genome for genome in range(len(ends)))
    ]


def contigs_like(training: TrainingSequence, lengths: NDArray[np.int64], genome: Genome) -> dict[int, list[int]]:
    """Contig of a model's own genome -> contigs of another that have its sequence. lengths : of the model's contigs."""
    places, known, found = _places(training.contigs), set(lengths.tolist()), dict[int, list[int]]()
    for contig, length in enumerate(genome.lengths.tolist()):
        if length not in known:
            continue
        digest = _digest(_codes(genome, contig))
        genome.release()
        for each in places.get(digest, ()):
            found.setdefault(each, []).append(contig)
    return found


def digest_of(table: NDArray[np.uint8], row: int) -> bytes:
    """One hash of a table [n, DIGEST]."""
    return bytes(table[row].tobytes())


def _places(table: NDArray[np.uint8]) -> dict[bytes, list[int]]:
    places: dict[bytes, list[int]] = {}
    for row in range(len(table)):
        places.setdefault(digest_of(table, row), []).append(row)
    return places


def _near_duplicates(seen: Seen, training: TrainingSequence, genome: Genome) -> tuple[dict[int, float], int]:
    """Contigs without training stretches with many k-mers of the training part, and how many were not checked."""
    near, unchecked, left = {}, 0, SLABS_PER_GENOME
    trained = set(seen.split.of(Part.TRAIN).contig.tolist())
    k = K[genome.alphabet.name]
    for contig in (each for each in range(len(genome.names)) if each not in trained):
        codes = _codes(genome, contig)
        slabs = range(0, len(codes), SLAB)
        slabs = slabs[:: -(-len(slabs) // SLABS_PER_CONTIG)]
        if left < len(slabs):
            unchecked += 1
            continue
        left -= len(slabs)
        parts = [_hashes(codes[at : at + SLAB + k - 1], genome, training.below) for at in slabs]
        hashed = np.unique(np.concatenate(parts))
        genome.release()
        # a contig of another assembly may hold a trained one whole, and much else
        within = not seen.recognised[contig] and any(
            len(part) >= FEWEST_KMERS and _shared(part, training) >= WITHIN_FRACTION for part in parts
        )
        if len(hashed) < FEWEST_KMERS:
            unchecked += 1
            continue
        fraction = _shared(hashed, training)
        if within or fraction >= NEAR_DUPLICATE_FRACTION:
            near[contig] = fraction
    return near, unchecked


def _shared(hashed: Hashes, training: TrainingSequence) -> float:
    """Fraction of distinct sampled k-mers that the training part has."""
    return float(np.isin(hashed, training.kmers, assume_unique=True).mean())
