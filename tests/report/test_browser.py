"""The page in a real browser, at the widths of a screen and of a phone."""

import html
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (1280, 400)
# a frame of the wanted width, for a window cannot be as narrow as a phone; what runs over its edge is listed
FRAME = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0 }}
iframe {{ border: 0; width: {width}px; height: 900px }}</style><iframe id="frame" srcdoc="{page}"></iframe>
<pre id="told"></pre><script>
const frame = document.getElementById("frame");
frame.onload = () => {{
  const inside = frame.contentDocument, over = [];
  for (const each of inside.querySelectorAll("body *")) {{
    if (each.closest(".scroll, .box, .skip, svg, details:not([open])")) continue;
    if (each.getBoundingClientRect().right > {width} + 1) over.push(each.tagName + "." + each.className);
  }}
  const figures = [...inside.querySelectorAll("svg")].map((each) => each.getBoundingClientRect().height);
  const told = {{ width: inside.documentElement.scrollWidth, over, figures }};
  document.getElementById("told").textContent = JSON.stringify(told);
}};
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_runs_over_the_edge(page_file, tmp_path, width):
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
    assert told["figures"]
    assert all(height > 50 for height in told["figures"])
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
