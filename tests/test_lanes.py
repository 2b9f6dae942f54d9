"""Lanes: every base of the training part once a round and strand, nothing of another part, state reset at starts."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.alphabet import DNA, PROTEIN, decode, reverse_complement
from genolstm.lanes import ChainLanes, Lanes, batches_of
from genolstm.regions import Part

CPU = torch.device("cpu")


def lanes_of(genome, stretches, n_lanes, chunk, device=CPU):
    return Lanes(genome, stretches, n_lanes=n_lanes, chunk=chunk, device=device)


def rows_of(genome, stretches):
    """Every stretch as read, then every reverse complement: the order that lanes promise. Letters."""
    forward = [
        genome.all_codes[genome.starts[contig] + start : genome.starts[contig] + end]
        for contig, start, end in zip(stretches.contig, stretches.start, stretches.end, strict=True)
    ]
    other = [] if genome.alphabet.complement is None else [reverse_complement(row, genome.alphabet) for row in forward]
    return [decode(row, genome.alphabet) for row in (*forward, *other)]


def chunks_of(rows, chunk, alphabet=DNA):
    """Chunks of the ring in order: (input letters, target letters, a row starts here)."""
    ring = []
    for row in rows:
        filled = alphabet.unknown_letter + row + alphabet.unknown_letter * (-len(row) % chunk)
        ring += [
            (filled[at : at + chunk], filled[at + 1 : at + chunk + 1], at == 0)
            for at in range(0, len(filled) - 1, chunk)
        ]
    return ring


def letters_of(lanes, step, alphabet=DNA):
    batch = lanes.batch(step)
    assert batch.codes.dtype == torch.uint8
    return [
        (decode(codes[:-1], alphabet), decode(codes[1:], alphabet), bool(reset))
        for codes, reset in zip(batch.codes.cpu().numpy(), batch.reset.tolist(), strict=True)
    ]


def ring_starts(ring, n_lanes):
    return [lane * len(ring) // n_lanes for lane in range(n_lanes)]


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    n_lanes=st.integers(1, 9),
    chunk=st.integers(1, 17),
    seed=st.integers(0, 99),
)
def test_lanes_read_the_ring_of_chunks_evenly_spaced_and_for_ever(
    genome_of, drawn_codes, stretches_of, lengths, n_lanes, chunk, seed
):
    genome = genome_of({str(i): drawn_codes(seed + i, n, unknown=0.1) for i, n in enumerate(lengths)})
    check_ring(genome, stretches_of(genome), n_lanes, chunk, CPU)


def test_lanes_on_a_device_read_the_same_ring(genome_of, drawn_codes, stretches_of, device):
    genome = genome_of({str(i): drawn_codes(i, n, unknown=0.1) for i, n in enumerate((40, 7, 1))})
    check_ring(genome, stretches_of(genome), 5, 11, device)


def check_ring(genome, stretches, n_lanes, chunk, device):
    lanes, ring = lanes_of(genome, stretches, n_lanes, chunk, device), chunks_of(rows_of(genome, stretches), chunk)
    starts = ring_starts(ring, n_lanes)
    for step in range(2 * len(ring) + 1):
        expected = [ring[(start + step) % len(ring)] for start in starts]
        assert letters_of(lanes, step) == expected


@pytest.mark.parametrize(("n_lanes", "chunk"), [(1, 50), (4, 32), (7, 16), (64, 128)])
def test_every_base_is_a_target_once_a_round_and_strand(genome_of, drawn_codes, stretches_of, n_lanes, chunk):
    genome = genome_of({"a": drawn_codes(1, 1000), "b": drawn_codes(2, 333), "c": drawn_codes(3, 20)})
    stretches = stretches_of(
        genome, [("a", 0, 400, Part.TRAIN), ("a", 500, 1000, Part.TRAIN), ("b", 5, 333, Part.TRAIN)]
    )
    lanes = lanes_of(genome, stretches, n_lanes, chunk)
    rows = rows_of(genome, stretches)
    n_chunks = sum(-(-len(row) // chunk) for row in rows)
    starts = [lane * n_chunks // n_lanes for lane in range(n_lanes)]
    pieces = Counter()
    for lane, (start, end) in enumerate(
        zip(starts, [*starts[1:], n_chunks], strict=True)
    ):  # until the next lane's start
        for step in range(end - start):
            _, targets, _ = letters_of(lanes, step)[lane]
            pieces[targets.rstrip("N")] += 1
    # chunks are told apart by their letters: 16 random bases are met once
    expected = Counter(row[at : at + chunk] for row in rows for at in range(0, len(row), chunk))
    assert pieces == expected
    assert (
        sum(len(piece) * times for piece, times in pieces.items()) == 2 * (400 + 500 + 328) == lanes.symbols_per_round
    )


def test_no_base_of_another_part_is_ever_read(genome_of, stretches_of):
    # the training part is A and T alone, on both strands; all else is C and G
    genome = genome_of({"a": "CG" * 50 + "ATTA" * 40 + "G" * 60, "b": "C" * 30, "c": "TAT" * 20})
    rows = [("a", 100, 260, Part.TRAIN), ("b", 0, 30, Part.TEST), ("c", 0, 60, Part.TRAIN)]
    lanes = lanes_of(genome, stretches_of(genome, rows).of(Part.TRAIN), 5, 7)
    met = Counter()
    for step in range(lanes.n_chunks):
        met.update(lanes.batch(step).codes.flatten().tolist())
    assert set(met) == {DNA.letters.index(letter) for letter in "ATN"}


def test_the_input_before_the_first_target_is_unknown(genome_of, stretches_of):
    genome = genome_of({"a": "CCCACGTACGTGGG"})
    lanes = lanes_of(genome, stretches_of(genome, [("a", 3, 11, Part.TRAIN)]), 1, 4)
    assert letters_of(lanes, 0) == [("NACG", "ACGT", True)]  # not the C before the stretch
    assert letters_of(lanes, 1) == [("TACG", "ACGT", False)]
    assert letters_of(lanes, 2) == [("NACG", "ACGT", True)]  # the reverse complement, a palindrome here


def test_reverse_rows_are_the_reverse_complement(genome_of, stretches_of):
    genome = genome_of({"a": "AACNGT", "b": "GG"})
    lanes = lanes_of(genome, stretches_of(genome), 1, 10)
    read = [letters_of(lanes, step)[0][1].rstrip("N") for step in range(4)]
    assert read == ["AACNGT", "GG", "ACNGTT", "CC"]


def test_one_base_contigs_and_contigs_shorter_than_a_chunk(genome_of, stretches_of):
    genome = genome_of({"a": "A", "b": "CC", "c": "GGGGG"})
    lanes = lanes_of(genome, stretches_of(genome), 1, 4)
    read = [letters_of(lanes, step)[0] for step in range(lanes.n_chunks)]
    assert read == [
        ("NANN", "ANNN", True),
        ("NCCN", "CCNN", True),
        ("NGGG", "GGGG", True),
        ("GGNN", "GNNN", False),
        ("NTNN", "TNNN", True),
        ("NGGN", "GGNN", True),
        ("NCCC", "CCCC", True),
        ("CCNN", "CNNN", False),
    ]


def test_more_lanes_than_chunks_share_chunks(genome_of, stretches_of):
    genome = genome_of({"a": "ACG"})
    lanes = lanes_of(genome, stretches_of(genome), 6, 8)
    assert lanes.n_chunks == 2
    assert [targets for _, targets, _ in letters_of(lanes, 0)] == ["ACGNNNNN"] * 3 + ["CGTNNNNN"] * 3
    assert lanes.symbols(0) == 18


def test_a_protein_has_one_strand(genome_of, stretches_of):
    proteins = genome_of({"p": "MKVLAX", "q": "WWW"}, PROTEIN)
    lanes = lanes_of(proteins, stretches_of(proteins), 1, 4)
    assert lanes.symbols_per_round == 9
    read = [letters_of(lanes, step, PROTEIN)[0] for step in range(lanes.n_chunks)]
    assert read == [("XMKV", "MKVL", True), ("LAXX", "AXXX", False), ("XWWW", "WWWX", True)]


def test_a_batch_depends_on_its_step_alone(tiny_genome, stretches_of):
    stretches = stretches_of(tiny_genome)
    lanes, fresh = lanes_of(tiny_genome, stretches, 5, 32), lanes_of(tiny_genome, stretches, 5, 32)
    in_order = [lanes.batch(step) for step in range(20)]
    for step in reversed(range(20)):
        for one, other in zip(fresh.batch(step)[:2], in_order[step][:2], strict=True):
            assert torch.equal(one, other)


@settings(max_examples=25)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4), n_lanes=st.integers(1, 9), chunk=st.integers(1, 9))
def test_symbols_of_a_step_are_its_targets_without_the_fill(genome_of, stretches_of, lengths, n_lanes, chunk):
    genome = genome_of({str(i): "A" * n for i, n in enumerate(lengths)})
    lanes = lanes_of(genome, stretches_of(genome), n_lanes, chunk)
    counted = [lanes.symbols(step) for step in range(lanes.n_chunks)]
    assert counted == [int((lanes.batch(step).codes[:, 1:] != DNA.unknown).sum()) for step in range(lanes.n_chunks)]
    assert sum(counted) == n_lanes * lanes.symbols_per_round  # each lane has been all the way round
    assert lanes.symbols_per_round == 2 * sum(lengths)


def test_symbols_of_one_round_are_the_symbols_of_the_part(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 300, unknown=0.2), "b": drawn_codes(2, 37)})
    lanes = lanes_of(genome, stretches_of(genome), 4, 10)
    assert lanes.n_chunks == 2 * (30 + 4)
    assert sum(lanes.symbols(step) for step in range(lanes.n_chunks // 4)) == lanes.symbols_per_round == 2 * 337


def test_batches_do_not_change_the_genome(tiny_genome, stretches_of):
    before = np.array(tiny_genome.all_codes)
    lanes = lanes_of(tiny_genome, stretches_of(tiny_genome), 4, 16)
    lanes.batch(3).codes.fill_(0)
    np.testing.assert_array_equal(before, tiny_genome.all_codes)


# ---- proteins: chains of nearly equal length side by side


def chains_of(genome_of, drawn_codes, lengths):
    return genome_of({f"p{i}": drawn_codes(i, n, alphabet=PROTEIN) for i, n in enumerate(lengths)}, PROTEIN)


def chain_lanes(genome, stretches, n_lanes, chunk, device=CPU, seed=1):
    return ChainLanes(genome, stretches, n_lanes=n_lanes, chunk=chunk, device=device, seed=seed)


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    n_lanes=st.integers(1, 5),
    chunk=st.integers(1, 20),
    seed=st.integers(0, 9),
)
def test_every_residue_is_a_target_once_a_round_and_each_chain_is_read_in_order_from_its_reset(
    genome_of, drawn_codes, stretches_of, lengths, n_lanes, chunk, seed
):
    genome = chains_of(genome_of, drawn_codes, lengths)
    check_round(genome, lengths, chain_lanes(genome, stretches_of(genome), n_lanes, chunk, CPU, seed))


def test_chains_on_a_device_are_read_alike(genome_of, drawn_codes, stretches_of, device):
    lengths = (90, 31, 1, 8, 8)
    genome = chains_of(genome_of, drawn_codes, lengths)
    check_round(genome, lengths, chain_lanes(genome, stretches_of(genome), 3, 7, device))


def check_round(genome, lengths, lanes):
    n_lanes, chunk = lanes.n_lanes, lanes.chunk
    for turn in range(2):
        read, current, symbols = [], [None] * n_lanes, 0
        for step in range(turn * lanes.steps_per_round, (turn + 1) * lanes.steps_per_round):
            codes, reset, place = lanes.batch(step)
            assert codes.shape[1] - 1 <= chunk
            assert place.shape == (n_lanes, codes.shape[1] - 1)
            symbols += lanes.symbols(step)
            for lane in range(n_lanes):
                if reset[lane]:
                    current[lane] = []
                    read.append(current[lane])
                    assert codes[lane, 0] == PROTEIN.unknown  # nothing read yet
                    assert place[lane, 0] == -1
                else:
                    assert current[lane][-1:] == [int(codes[lane, 0])]  # goes on where the step before ended
                current[lane] += codes[lane, 1:].tolist()
                there = place[lane] >= 0
                np.testing.assert_array_equal(codes[lane, :-1][there].cpu(), genome.all_codes[place[lane][there].cpu()])
                assert (codes[lane, :-1][~there] == PROTEIN.unknown).all()
        letters = sorted(decode(np.array(chain, np.uint8), PROTEIN).rstrip("X") for chain in read)
        wanted = [decode(genome.all_codes[s : s + n], PROTEIN) for s, n in zip(genome.starts, lengths, strict=True)]
        assert [text for text in letters if text] == sorted(wanted)
        assert symbols == sum(lengths) == lanes.symbols_per_round


def proteome_lengths(seed, count=2000):
    """Lengths as proteins have them: log-normal, median 400."""
    return np.clip(np.random.default_rng(seed).lognormal(6, 0.7, count), 30, 5000).astype(int).tolist()


def test_next_to_nothing_is_filled_up_and_the_ring_of_chunks_fills_more(genome_of, drawn_codes, stretches_of):
    lengths = proteome_lengths(1)
    genome = chains_of(genome_of, drawn_codes, lengths)
    lanes = chain_lanes(genome, stretches_of(genome), 16, 64)
    read = sum(lanes.batch(step).codes[:, 1:].numel() for step in range(lanes.steps_per_round))
    assert lanes.fill == pytest.approx(1 - sum(lengths) / read)
    assert lanes.fill < 0.02
    assert 1 - sum(lengths) / (lanes_of(genome, stretches_of(genome), 16, 64).n_chunks * 64) > 0.05


def test_rounds_differ_seeds_differ_and_a_step_is_always_the_same(genome_of, drawn_codes, stretches_of):
    genome = chains_of(genome_of, drawn_codes, proteome_lengths(2, 120))
    stretches = stretches_of(genome)

    def first_places(lanes, turn):
        steps = range(turn * lanes.steps_per_round, (turn + 1) * lanes.steps_per_round)
        return [lanes.batch(step).place.tolist() for step in steps]

    lanes = chain_lanes(genome, stretches, 4, 32)
    one, two = first_places(lanes, 0), first_places(lanes, 1)
    assert one != two
    assert first_places(chain_lanes(genome, stretches, 4, 32, seed=2), 0) != one
    fresh = chain_lanes(genome, stretches, 4, 32)
    assert first_places(fresh, 1) == two  # without having read the first round
    assert first_places(fresh, 0) == one


def test_lengths_come_in_no_order(genome_of, drawn_codes, stretches_of):
    genome = chains_of(genome_of, drawn_codes, proteome_lengths(3, 400))
    lanes = chain_lanes(genome, stretches_of(genome), 4, 1000)  # a group is mostly one step
    widths = [lanes.batch(step).codes.shape[1] for step in range(lanes.steps_per_round)]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.4
    assert abs(np.corrcoef(widths[1:], widths[:-1])[0, 1]) < 0.5


def test_no_residue_of_another_part_is_read(genome_of, stretches_of):
    genome = genome_of({"a": "AC" * 40, "b": "W" * 60, "c": "CA" * 11, "d": "W"}, PROTEIN)
    rows = [("a", 0, 80, Part.TRAIN), ("b", 0, 60, Part.TEST), ("c", 0, 22, Part.TRAIN), ("d", 0, 1, Part.VALID)]
    lanes = chain_lanes(genome, stretches_of(genome, rows).of(Part.TRAIN), 3, 7)
    met = set()
    for step in range(2 * lanes.steps_per_round):
        met |= set(lanes.batch(step).codes.flatten().tolist())
    assert met == {PROTEIN.letters.index(letter) for letter in "ACX"}


def test_supply_is_chosen_by_what_is_read(genome_of, tiny_genome, stretches_of):
    proteins = genome_of({"a": "MKV" * 9}, PROTEIN)
    sizes = {"n_lanes": 2, "chunk": 8, "device": CPU, "seed": 1}
    assert type(batches_of(proteins, stretches_of(proteins), **sizes)) is ChainLanes
    assert type(batches_of(tiny_genome, stretches_of(tiny_genome), **sizes)) is Lanes
