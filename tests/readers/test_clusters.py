"""Clusters of another program: representative<TAB>member."""

import gzip
import re

import pytest

from genolstm.errors import InputError
from genolstm.readers.clusters import read_clusters


def write(folder, text, name="made_cluster.tsv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["made_cluster.tsv", "made_cluster.tsv.gz"])
def test_members_of_one_representative_have_one_number_in_the_order_asked(tmp_path, name):
    path = write(tmp_path, "b\tb\nb\ta\nc\tc\r\n\nother\tother\n", name)
    clusters, strangers = read_clusters(path, ["a", "c", "b"])
    assert clusters.tolist() == [0, 1, 0]
    assert strangers == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a b\n", "line 1 is not representative<TAB>member"),
        ("a\ta\tx\n", "line 1 is not representative<TAB>member"),
        ("a\ta\nb\t\n", "line 2 is not representative<TAB>member"),
        ("a\ta\nb\ta\nb\tb\n", "line 2 puts 'a' into a second cluster; each protein belongs to one."),
        ("a\ta\n", "has no cluster for b; cluster the very proteins that were ingested."),
        ("", "has no cluster for a, b; cluster"),
    ],
)
def test_bad_tables_are_one_sentence(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=re.escape(f"{path} {sentence}")):
        read_clusters(path, ["a", "b"])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist: check the path"):
        read_clusters(tmp_path / "gone.tsv", ["a"])


@pytest.mark.parametrize(("missing", "told"), [(5, "p3, p4; cluster"), (6, "p3, p4 and 1 more; cluster")])
def test_names_beyond_the_fifth_are_counted(tmp_path, missing, told):
    path = write(tmp_path, "a\ta\n")
    with pytest.raises(InputError, match=re.escape(told)):
        read_clusters(path, [f"p{number}" for number in range(missing)])
