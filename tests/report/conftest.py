"""One page of one result of every kind."""

import pytest

from genolstm.report.page import sections_of, write_page
from genolstm.report.reading import read_results


@pytest.fixture(scope="session")
def page_file(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    read = read_results(list(results.values()))
    write_page(path, read, sections_of(read), "A <b>title</b>")
    return path
