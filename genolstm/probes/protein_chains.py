"""Proteins that are probed, whichever model reads them: what it reads, where residue t ends in it, and which part."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.errors import InputError
from genolstm.homology import clusters_of, largest_identity
from genolstm.polypeptide import without_value
from genolstm.probes.protein_genes import Gene
from genolstm.probes.splits import probe_split
from genolstm.readers.genetic_codes import CODON
from genolstm.regions import Part, Stretches
from genolstm.seeds import spawn
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.store.lineage import TrainedOn

NO_PART = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """Proteins as a model reads them.

    names : [P].   proteins : uint8 [L] each.   part : int8 [P], a Part.   cluster : int64 [P], of homologues.
    contig : int32 [P], in the genome file.   strand : int8 [P].   sequence : number -> codes that the model reads.
    begins : int64 [P], place in the sequence of the first symbol of residue 1.   step : symbols a residue.
    genes : those of a DNA model; empty for a protein model.
    """

    names: tuple[str, ...]
    proteins: tuple[Codes, ...]
    part: NDArray[np.int8]
    cluster: NDArray[np.int64]
    contig: NDArray[np.int32]
    strand: NDArray[np.int8]
    sequence: Callable[[int], Codes]
    begins: NDArray[np.int64]
    step: int
    genes: tuple[Gene, ...] = ()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Residues of each; int64 [P]."""
        return np.array([len(protein) for protein in self.proteins], dtype=np.int64)

    def positions(self, chain: int, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position on its contig of symbols of one chain's sequence; 0-based."""
        return self.genes[chain].positions()[place] if self.genes else place

    def only(self, keep: NDArray[np.int64]) -> "Chains":
        """Some of them, in the order given. keep : int64 [p]."""
        sequence = self.sequence
        return replace(
            self,
            names=tuple(self.names[each] for each in keep),
            proteins=tuple(self.proteins[each] for each in keep),
            **{name: getattr(self, name)[keep] for name in ("part", "cluster", "contig", "strand", "begins")},
            sequence=lambda number: sequence(int(keep[number])),
            genes=tuple(self.genes[each] for each in keep) if self.genes else (),
        )


def chains_of_genes(
    genes: list[Gene], checkpoint: Checkpoint, genome: Genome, settings: ProteinProbeSettings, model_name: str
) -> Chains:
    """Chains that a DNA model reads as spliced mRNA; the part is that of the contig or stretch that the gene lies in.

    Raises InputError as `splits.probe_split`.
    """
    split = probe_split(checkpoint, genome, settings, model_name)
    contig = np.array([gene.contig for gene in genes], dtype=np.int32)
    return Chains(
        names=tuple(gene.name for gene in genes),
        proteins=tuple(gene.protein for gene in genes),
        part=_part_of_genes(genes, contig, split, genome),
        cluster=np.zeros(len(genes), dtype=np.int64),
        contig=contig,
        strand=np.array([gene.strand for gene in genes], dtype=np.int8),
        sequence=lambda number: genes[number].mrna(genome),
        begins=np.array([gene.coding_start for gene in genes], dtype=np.int64),
        step=CODON,
        genes=tuple(genes),
    )


def _part_of_genes(genes: list[Gene], contig: NDArray[np.int32], split: Stretches, genome: Genome) -> NDArray[np.int8]:
    """Part in which a whole gene lies; NO_PART where its ends lie in two parts, or in none."""
    there = {name: place for place, name in enumerate(split.contigs)}
    in_split = np.array([there.get(name, NO_PART) for name in genome.names], dtype=np.int32)[contig]
    first = np.array([gene.exons[0, 0] for gene in genes], dtype=np.int64)
    last = np.array([gene.exons[-1, 1] - 1 for gene in genes], dtype=np.int64)
    at_start, at_end = split.part_at(in_split, first), split.part_at(in_split, last)
    return np.where(at_start == at_end, at_start, np.int8(NO_PART)).astype(np.int8)


def chains_of_proteins(
    proteins: Genome, checkpoint: Checkpoint, settings: ProteinProbeSettings, model_name: str
) -> tuple[Chains, str]:
    """Chains that a protein model reads, and a phrase on how they were split.

    Of proteins that the model's split names, the part is the model's; where it names none of them, none was trained on
    under its name, and whole clusters are drawn. Raises InputError where the model holds out no test part.
    """
    count = len(proteins.names)
    codes = [
        proteins.all_codes[start : start + length]
        for start, length in zip(proteins.starts.tolist(), proteins.lengths.tolist(), strict=True)
    ]
    known, part = _parts_by_name(proteins, checkpoint)
    if known and not (part == Part.TEST).any():
        raise InputError(
            f"{model_name} holds out none of the proteins in {proteins.path}, so that no score on them is held out;"
            " give proteins that it has not seen, or a model trained with a test part."
        )
    how = "the model's own parts, by name and length"
    if not known:
        part = _drawn_parts(clusters_of(codes), settings)
        how = "whole clusters drawn: the model was trained on no protein of these names"
    chains = Chains(
        names=proteins.names,
        proteins=tuple(codes),
        part=part,
        cluster=np.zeros(count, dtype=np.int64),
        contig=np.arange(count, dtype=np.int32),
        strand=np.ones(count, dtype=np.int8),
        sequence=lambda number: codes[number],
        begins=np.zeros(count, dtype=np.int64),
        step=1,
    )
    return chains, how


def _parts_by_name(proteins: Genome, checkpoint: Checkpoint) -> tuple[int, NDArray[np.int8]]:
    """How many of the proteins the model's split names, or that of a model it goes on from; and the part of each.

    NO_PART for the others. A protein that any of these models was trained on is for training.
    """
    known = np.zeros(len(proteins.names), dtype=np.bool_)
    part = np.full(len(known), NO_PART, dtype=np.int8)
    models: tuple[TrainedOn, ...] = (checkpoint, *checkpoint.ancestors)
    for model in models:
        named, of_model = _parts_of(proteins, model)
        known |= named
        both = (part >= 0) & (of_model >= 0)
        part = np.where(both, np.minimum(part, of_model), np.maximum(part, of_model)).astype(np.int8)
    return int(known.sum()), part


def _parts_of(proteins: Genome, model: TrainedOn) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Which of the proteins one training's split names, and the part of each.

    A protein of a known name but of another length is another protein: what of it was seen is unknown.
    """
    split = model.split
    there = {name: place for place, name in enumerate(split.contigs)}
    place = np.array([there.get(name, NO_PART) for name in proteins.names], dtype=np.int32)
    known = place >= 0
    part = np.full(len(place), NO_PART, dtype=np.int8)
    ends = proteins.lengths[known] - 1
    first, last = (split.part_at(place[known], each) for each in (np.zeros_like(ends), ends))
    part[known] = np.where(first == last, first, np.int8(NO_PART))
    other = known.copy()
    other[known] = model.lengths[place[known]] != proteins.lengths[known]
    part[other] = NO_PART
    return known, part


def _drawn_parts(cluster: NDArray[np.int64], settings: ProteinProbeSettings) -> NDArray[np.int8]:
    """Part of each protein, whole clusters drawn until validation and test have their fractions; int8 [P]."""
    part = np.full(len(cluster), Part.TRAIN, dtype=np.int8)
    sizes = np.bincount(cluster)
    order = spawn(settings.seed, "protein split").permutation(len(sizes))
    taken = np.cumsum(sizes[order]) / len(cluster)
    test = taken <= settings.test_share
    valid = ~test & (taken <= settings.test_share + settings.valid_share)
    part[np.isin(cluster, order[test])] = Part.TEST
    part[np.isin(cluster, order[valid])] = Part.VALID
    return part


def without_homologues(chains: Chains, settings: ProteinProbeSettings) -> tuple[Chains, dict[str, int], int]:
    """Chains that may be probed, at most so many of each part, with their clusters; the others counted by reason.

    The third is how many test proteins have a relative in the training part, which a model of that part has read.
    A protein in the cluster of a test protein is used for neither training nor validation; one in the cluster of a
    validation protein is not used for training. Raises InputError where a part is left empty.
    """
    skipped: Counter[str] = Counter()
    keep = np.flatnonzero(chains.part >= 0)
    skipped["outside the parts of the split, or across two"] = len(chains.names) - len(keep)
    long_enough = chains.lengths[keep] >= settings.shortest + settings.ahead
    skipped[f"protein shorter than {settings.shortest + settings.ahead} residues"] = int((~long_enough).sum())
    chains = chains.only(keep[long_enough])
    cluster = clusters_of(chains.proteins) if chains.names else np.zeros(0, dtype=np.int64)
    chains = replace(chains, cluster=cluster)
    in_test, in_valid = (np.isin(cluster, cluster[chains.part == part]) for part in (Part.TEST, Part.VALID))
    near_test = in_test & (chains.part != Part.TEST)
    near_valid = in_valid & ~in_test & (chains.part == Part.TRAIN)
    skipped["homologue of a test protein"] = int(near_test.sum())
    skipped["homologue of a validation protein"] = int(near_valid.sum())
    in_train = np.isin(cluster, cluster[chains.part == Part.TRAIN])
    kept = np.flatnonzero(~near_test & ~near_valid)
    drawn = []
    for part in Part:
        mine = kept[chains.part[kept] == part]
        if not len(mine):
            raise InputError(
                f"no protein is left in the {part.name.lower()} part (left out: {_counted(skipped)}); give more"
                " proteins, or name --train-contigs and --test-contigs with more genes."
            )
        order = spawn(settings.seed, "proteins", int(part)).permutation(len(mine))[: settings.max_proteins]
        drawn.append(np.sort(mine[order]))
        skipped["more than --max-proteins of its part"] += len(mine) - len(order)
    chosen = np.sort(np.concatenate(drawn))
    related = int((in_train & (chains.part == Part.TEST))[chosen].sum())
    return chains.only(chosen), {reason: count for reason, count in skipped.items() if count}, related


def _counted(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count) or "nothing"


def homology_left(chains: Chains) -> dict[str, float | int | str]:
    """Largest identity between a test protein and one that is fitted to or chosen on, and the pair."""
    test = np.flatnonzero(chains.part == Part.TEST)
    other = np.flatnonzero(chains.part != Part.TEST)
    largest = largest_identity([chains.proteins[each] for each in test], [chains.proteins[each] for each in other])
    left: dict[str, float | int | str] = {
        "largest_identity": float(largest.identity),
        "largest_identity_residues": int(largest.aligned_residues),
    }
    if largest.one >= 0:
        left["largest_identity_pair"] = f"{chains.names[test[largest.one]]}, {chains.names[other[largest.other]]}"
    return left


def residues_without_value(chains: Chains) -> int:
    """How many residues of the proteins have neither charge nor hydropathy."""
    return sum(without_value(protein) for protein in chains.proteins)
