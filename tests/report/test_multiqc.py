"""What MultiQC is given."""

import json

from genolstm.report.multiqc import multiqc_paths
from genolstm.report.page import sections_of
from genolstm.report.reading import read_results


def test_files_are_named_and_filled_as_multiqc_reads_them(results, tmp_path):
    read = read_results(list(results.values()))
    made = multiqc_paths(tmp_path, read, sections_of(read))
    assert all(path.name.endswith("_mqc.json") for path in made)
    general = made[tmp_path / "genolstm_general_mqc.json"]
    assert general["plot_type"] == "generalstats"
    assert general["data"]["probe"]["probe_donor_auprc"] == 0.8
    assert general["data"]["probe"]["probe_donor_auprc_control"] == 0.7
    assert {"checkpoint_bits_per_base", "checkpoint_markov_bits_per_base"} <= general["data"]["model"].keys()
    for content in made.values():
        json.dumps(content, allow_nan=False)
        assert {key for row in content["data"].values() for key in row} <= content["headers"].keys()
    tables = [content for content in made.values() if content["plot_type"] == "table"]
    assert len({content["id"] for content in tables}) == len(tables) >= 8
    probe = made[tmp_path / "genolstm_probe_mqc.json"]
    assert probe["data"]["probe"]["verdict"].startswith("No gain for splice acceptors")
