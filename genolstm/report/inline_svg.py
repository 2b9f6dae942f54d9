"""A figure as SVG inside a page: no ids in common with another, no links to elsewhere, and a text alternative."""

import io
import re
from xml.etree import ElementTree

from genolstm.figures.style import Picture, styled

POINT_PX = 96 / 72  # CSS pixels of a point
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG = re.compile(r"-?\d+\.\d{3,}")
DROPPED = {"metadata", "title"}
DRAWN, PLACES = {"d", "x", "y", "points"}, 2  # attributes that place what is drawn: to a hundredth of a point


def inline_svg(picture: Picture, prefix: str) -> str:
    """A figure as an <svg> element for HTML, the same for the same figure.

    prefix : before every id, unique on the page. The picture's `alt` is its name for screen readers.
    """
    stream = io.StringIO()
    with styled():
        picture.figure.savefig(stream, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(stream.getvalue())
    for parent in list(root.iter()):
        for child in [each for each in parent if _local(each.tag) in DROPPED]:
            parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        for name in list(element.attrib):
            value = _renamed(_local(name), element.attrib.pop(name), prefix)
            if value is not None:
                element.set(_local(name), value)
    width, height = (float(root.get(side, "0").removesuffix("pt")) for side in ("width", "height"))
    for side, points in (("width", width), ("height", height)):
        root.set(side, f"{points * POINT_PX:.0f}")
    root.set("role", "img")
    root.set("aria-label", picture.alt)
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _renamed(name: str, value: str, prefix: str) -> str | None:
    """An attribute as the page holds it; None where it has no place there."""
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href":
        return f"#{prefix}-{value[1:]}" if value.startswith("#") else (value if value.startswith("data:") else None)
    if name in DRAWN:
        return _LONG.sub(lambda found: f"{float(found[0]):.{PLACES}f}".rstrip("0").rstrip("."), value)
    return _REFERENCE.sub(lambda found: f"url(#{prefix}-{found[1]})", value)
