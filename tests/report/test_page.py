"""The page: whole, escaped, accessible, alone."""

import re

import pytest
from made_results import AWKWARD
from reading_html import Page

from genolstm.report.page import sections_of, write_page
from genolstm.report.reading import read_results


@pytest.fixture(scope="module")
def page(page_file):
    return Page(page_file.read_text(encoding="utf-8"))


def test_page_is_balanced_and_no_id_stands_twice(page):
    assert page.faults == []
    assert len(set(page.ids)) == len(page.ids)


def test_page_asks_nobody_for_anything(page, page_file):
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    content = page_file.read_text(encoding="utf-8")
    assert "http" not in re.sub(r"<code>.*?</code>", "", content)
    assert "@import" not in content
    assert not page.of("script")
    assert not re.findall(r"url\((?!#)", content)


def test_links_within_the_page_have_a_target(page):
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.ids)
    content_ids = {about["href"][1:] for about in page.of("a")}
    assert {"main", "verdicts", "run"} <= content_ids


def test_headings_are_in_order(page):
    assert page.headings.count(1) == 1
    assert page.headings[0] == 1
    assert all(later <= earlier + 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))


def test_page_can_be_read_without_seeing_it(page):
    (html,) = page.of("html")
    assert html["lang"] == "en"
    figures = page.of("svg")
    assert figures
    assert all(about["role"] == "img" and about["aria-label"].strip() for about in figures)
    assert len(page.of("caption")) == len(page.of("table")) > 10
    assert all(about.get("scope") in {"row", "col"} for about in page.of("th"))
    assert page.of("nav")[0]["aria-label"]


def test_names_are_escaped_everywhere(page, page_file):
    content = page_file.read_text(encoding="utf-8")
    assert "<script" not in content
    assert "alert('x')" not in content.replace("&lt;script&gt;alert('x')", "").replace("&lt;script&gt;alert(&#39;x", "")
    assert AWKWARD in page.words
    assert "A <b>title</b>" in page.words
    assert "genolstm probe <made>" in page.words
    assert "too <short>" in page.words


def test_verdicts_come_before_everything_else(page):
    words = page.words
    assert words.index("Verdicts") < words.index("Figure 1.")
    gain = (
        "The states predict splice donors: gain +0.123 [+0.057, +0.200] AUPRC over untrained_1, the best control"
        " (AUPRC 0.800 against 0.700), on 10 true sites among 20 of contig III."
    )
    no_gain = (
        "No gain for splice acceptors: +0.010 [\N{MINUS SIGN}0.050, +0.070] AUPRC against untrained_1, the best"
        " control; the interval does not lie above zero"
    )
    assert gain in words
    assert no_gain in words
    assert words.index(gain) < words.index("Figure 1.")
    assert "made-up, kept: the claim holds (1.500 [1.200, 1.800] bits). What is kept <stays>." in words
    assert "made-up, lost: the claim does not hold (0.100). What is lost is lost." in words


def test_every_result_says_what_was_run(page, results):
    words = page.words
    from genolstm.store.files import file_sha256

    for path in results.values():
        assert path.name in words
        assert file_sha256(path) in words
    assert words.count("Settings of ") == len(results)
    assert "60 read, 40 used 20 skipped, by reason" in words


def test_every_control_and_every_limit_is_told(page):
    words = page.words
    assert "untrained_1 random-init models, the same network without training" in words
    assert "kmer k-mer counts around the site" in words
    assert "donor: 5.0 % of the test windows share a 31-mer with training" in words
    assert "One training run (seed 3)" in words
    for figure in ("nominal half-life", "realised half-life", "functional memory"):
        assert figure in words


def test_same_results_in_any_order_give_the_same_bytes(results, tmp_path):
    written = []
    for place, names in enumerate((("track", "counts", "study"), ("study", "track", "counts"))):
        read = read_results([results[name] for name in names])
        path = tmp_path / f"{place}.html"
        assert write_page(path, read, sections_of(read), "title") > 0
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_text_stands_out_from_its_background(page_file):
    """Contrast of at least 4.5 (WCAG 2.1, 1.4.3) of every colour of text on white and on the wash."""
    style = page_file.read_text(encoding="utf-8").split("</style>")[0]
    colours = dict(re.findall(r"--(ink|soft|link|wash): (#[0-9a-f]{6})", style))
    signs = re.findall(r"verdicts strong\.\w+ \{ color: (#[0-9a-f]{6})", style)
    assert len(signs) == 3
    for text in [colours["ink"], colours["soft"], colours["link"], *signs]:
        for behind in ("#ffffff", colours["wash"]):
            assert contrast(text, behind) >= 4.5


def contrast(one, two):
    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)
