"""Brackets of source text: pairs, k-grams against counting by hand, and changes that touch one character."""

import numpy as np
import torch

from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.settings.study import StudySettings
from genolstm.studies import source_code
from genolstm.studies.source_code import N_SYMBOLS, encoded, kgram_bits, pairs_in


def test_pairs_are_those_of_the_language_and_not_of_its_strings():
    text = 'a = [f("(]", 1),\n     {2: "}"}]  # )\n'
    found = {(text[one], text[other], text[one + 1 : other]) for one, other in pairs_in(text)}
    assert found == {("(", ")", '"(]", 1'), ("{", "}", '2: "}"'), ("[", "]", text[5:30])}


def test_k_grams_are_those_that_a_loop_counts():
    rng = np.random.default_rng(1)
    text = rng.choice([3, 5, 8], size=400, p=[0.6, 0.3, 0.1])
    contexts, following = rng.choice([3, 5, 8, 9], size=(30, 4)), rng.choice([3, 5, 8, 9], size=30)

    def probability(context, symbol):
        shorter = 1 / N_SYMBOLS if len(context) == 0 else probability(context[1:], symbol)
        k = len(context)
        met = [text[at] for at in range(k, len(text)) if (text[at - k : at] == context).all()]
        if not met:
            return shorter
        return (met.count(symbol) + len(set(met)) * shorter) / (len(met) + len(set(met)))

    found = kgram_bits(text, contexts, following, range(1, 5))
    for k in range(1, 5):
        wanted = [-np.log2(probability(row[-k:], symbol)) for row, symbol in zip(contexts, following, strict=True)]
        np.testing.assert_allclose(found[k - 1], wanted)


def test_every_character_has_a_code():
    assert encoded("a\n~\u00e9").tolist() == [ord("a") - 32, source_code.NEWLINE, 94, source_code.OTHER]
    assert max(encoded("".join(source_code.own_sources()))) < N_SYMBOLS


class Remembers(torch.nn.Module):
    """A network that closes what the last unclosed opening bracket began, and knows nothing else."""

    def forward(self, symbols):
        scores = torch.zeros(*symbols.shape, N_SYMBOLS)
        pairs = {encoded(one)[0]: encoded(other)[0] for one, other in source_code.PAIRS.items()}
        for row, codes in enumerate(symbols.tolist()):
            stack = []
            for place, code in enumerate(codes):
                if code in pairs:
                    stack.append(code)
                elif stack and code == pairs[stack[-1]]:
                    stack.pop()
                if stack:
                    scores[row, place, pairs[stack[-1]]] = 20.0
        return scores


def test_a_network_that_keeps_a_stack_is_found_to_use_the_opening_bracket():
    rng = np.random.default_rng(2)
    fill = "".join("xyz"[each] for each in rng.integers(3, size=900))
    texts = [f"{fill[:600]}\n{one}{fill[600 : 600 + 80 + 3 * n]}{other}\n" for n in range(12)
             for one, other in (("(", ")"), ("[", "]"), ("{", "}"))]  # fmt: skip
    codes = [encoded(text) for text in texts]
    some = source_code.brackets_of(texts, np.arange(len(texts)))
    judged = source_code._judge(Remembers(), codes, np.concatenate(codes), some, 3, rng)
    assert judged.whole.max() < 0.01
    assert judged.touched.max() < 0.01
    assert judged.swapped.min() > 20
    assert judged.near.mean() > 5  # the opening bracket lies before what is read
    claims = source_code._claims(judged, rng, 3)
    assert [claim.holds for claim in claims] == [True] * 4


def test_a_small_study_is_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(source_code, "size_of", lambda _: source_code.Size(3000, 2))
    monkeypatch.setattr(source_code, "MOST_BRACKETS", 20)
    found = source_code.study(StudySettings(), lambda _: None)
    assert set(found.tables["bits"]["brackets"].values) == {20}
    assert not found.claims[0].holds  # after two steps
    assert found.claims[0].p > 0.05
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")
