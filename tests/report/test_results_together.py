"""Results that belong together, and those that do not."""

import shutil

import pytest
from made_results import probe

from genolstm.errors import InputError
from genolstm.report.reading import read_results, warnings_of
from genolstm.store.files import Provenance, Records, open_file
from genolstm.store.results import write_probe
from genolstm.store.schema import Kind


@pytest.fixture
def probe_of(tmp_path):
    """Function: name, inputs -> a probe file made from them."""

    def made(name, inputs, seed=3):
        path = tmp_path / name
        about = Provenance(command="made", settings={}, seed=seed, inputs=inputs, device="cpu")
        write_probe(path, "splice", {"donor": probe("donor", gain=seed == 3)}, Records(), about)
        return path

    return made


def test_results_are_in_the_order_of_the_walk(results):
    names = [each.name for each in read_results(list(results.values()))]
    walk = ("genome", "track", "model", "score", "hidden", "gates", "snvs", "dependencies", "probe", "prediction",
            "counts", "fit", "study", "comparison")  # fmt: skip
    assert names == [f"{name}.h5" for name in walk]


def test_results_of_one_kind_are_in_the_order_of_their_names(probe_of):
    paths = [probe_of("b.h5", {}), probe_of("a.h5", {}, seed=4)]
    assert [each.name for each in read_results(paths)] == ["a.h5", "b.h5"]


def test_results_of_one_genome_and_model_raise_no_warning(results):
    assert warnings_of(read_results(list(results.values()))) == []


def test_other_genome_and_other_model_are_told(results, probe_of):
    strange = probe_of("strange.h5", {"genome": "ab" * 32, "model": "cd" * 32})
    told = warnings_of(read_results([results["model"], results["score"], strange]))
    assert told[0].startswith("These results come from 2 different genomes")
    assert "model.h5, score.h5; genome abababababab: strange.h5" in told[0]
    assert told[1] == "strange.h5 was made with another model (SHA-256 cdcdcdcdcdcd), which is not shown here."


def test_another_model_of_the_same_genome_is_told(results, probe_of):
    (model,) = read_results([results["model"]])
    other = probe_of("other.h5", {"genome": model.about.sequence_sha256, "model": "cd" * 32})
    (told,) = warnings_of(read_results([results["model"], other]))
    assert told.endswith("made with another model (SHA-256 cdcdcdcdcdcd), not with model.h5, which is shown here.")


def test_two_results_of_one_name_are_refused(probe_of, tmp_path):
    (tmp_path / "b").mkdir()
    one, two = probe_of("p.h5", {}), probe_of("b/p.h5", {}, seed=4)
    with pytest.raises(InputError, match=f"two results are called p.h5: {one} and {two}; rename one"):
        read_results([one, two])


def test_one_result_twice_is_refused(results, tmp_path):
    with pytest.raises(InputError, match="is given twice; give it once"):
        read_results([results["probe"], results["probe"]])
    copy = tmp_path / "copy.h5"
    shutil.copy(results["probe"], copy)
    with pytest.raises(InputError, match="hold the same result; give it once"):
        read_results([results["probe"], copy])


def test_flipped_byte_is_noticed(results, tmp_path):
    path = tmp_path / "s.h5"
    content = bytearray(results["score"].read_bytes())
    with open_file(results["score"], Kind.SCORE) as file:
        bits = file["bits/forward"][100:110]
    content[content.index(bits.tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_results([path])


def test_worse_has_a_sign_of_its_own_beside_gain_and_no_gain():
    import dataclasses

    from made_results import probe

    from genolstm.estimate import Estimate
    from genolstm.report.of_probe import _verdict
    from genolstm.report.parts import Tone

    result = probe("donor", gain=False)
    control = result.best_control
    tones = {
        name: _verdict("splice", dataclasses.replace(result, verdict=word, differences={control: ends})).tone
        for name, word, ends in (
            ("gain", "gain", Estimate(0.2, 0.1, 0.3)), ("no gain", "no gain", Estimate(0.0, -0.1, 0.1)),
            ("worse", "no gain", Estimate(-0.2, -0.3, -0.1)),
        )
    }  # fmt: skip
    assert tones == {"gain": Tone.YES, "no gain": Tone.NO, "worse": Tone.WORSE}
