"""The page in a real browser, at the widths of a screen and of a phone."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (1280, 400)
READABLE = 6.0  # pixels: digits without strokes below the line, of text of 8 points and more
# a frame of the wanted width, for a window cannot be as narrow as a phone; what runs over its edge is listed
FRAME = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0 }}
iframe {{ border: 0; width: {width}px; height: 900px }}</style><iframe id="frame" srcdoc="{page}"></iframe>
<pre id="told"></pre><script>
const frame = document.getElementById("frame");
frame.onload = () => {{
  const inside = frame.contentDocument, over = [], crossed = [];
  for (const each of inside.querySelectorAll("details")) each.open = true;
  for (const each of inside.querySelectorAll("body *")) {{
    if (each.closest(".scroll, .skip, svg")) continue;
    if (each.getBoundingClientRect().right > {width} + 1) over.push(each.tagName + "." + each.className);
  }}
  const shown = [...inside.querySelectorAll("svg")].filter((each) => each.checkVisibility());
  const figures = shown.map((each) => each.getBoundingClientRect().height);
  const letters = [];
  for (const each of shown) {{
    const box = each.getBoundingClientRect();
    if (box.right > {width}) over.push("svg " + each.getAttribute("aria-label"));
    // matplotlib draws each text as outlines in a group of its own
    const texts = [...each.querySelectorAll("g[id*='-text_']")].map((text) => text.getBoundingClientRect());
    const drawn = texts.filter((text) => text.width > 0);
    letters.push(...drawn.map((text) => Math.min(text.width, text.height)));
    drawn.forEach((one, place) => drawn.slice(place + 1).forEach((other) => {{
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (across > 1 && down > 1) crossed.push(each.getAttribute("aria-label"));
    }}));
  }}
  const told = {{ width: inside.documentElement.scrollWidth, over, figures, crossed, letters }};
  document.getElementById("told").textContent = JSON.stringify(told);
}};
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_runs_over_the_edge_and_no_text_lies_on_other_text(page_file, tmp_path, width):
    if CHROMIUM is None:
        pytest.skip("no chromium here to look at the page with")
    frame = tmp_path / "frame.html"
    frame.write_text(
        FRAME.format(width=width, page=html.escape(page_file.read_text(encoding="utf-8"))), encoding="utf-8"
    )
    seen = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
         "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', seen.stdout, re.DOTALL)[1]))
    assert told["width"] <= width
    assert told["over"] == []
    assert told["crossed"] == []
    assert np.median(told["letters"]) > READABLE
    assert told["figures"]
    assert all(height > 50 for height in told["figures"])
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
