"""Numbers of results as custom content of MultiQC: general statistics, and a section for each kind."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genolstm.report.parts import Section
from genolstm.report.reading import Result
from genolstm.store.files import growing_file

SUFFIX = "_mqc.json"  # by which MultiQC recognises custom content
GENERAL = "genolstm_general"
HOME = "genolstm"


def multiqc_paths(folder: Path, results: Sequence[Result], sections: Sequence[Section]) -> dict[Path, dict[str, Any]]:
    """Path -> content of every file for MultiQC; only finite numbers, which JSON can hold.

    The general statistics hold metrics of all results; each kind has a table of its own, with its verdicts.
    """
    kinds = list(dict.fromkeys(result.kind for result in results))
    made = {folder / f"{GENERAL}{SUFFIX}": _general(results, sections)}
    for kind in kinds:
        chosen = [pair for pair in zip(results, sections, strict=True) if pair[0].kind is kind]
        made[folder / f"genolstm_{kind}{SUFFIX}"] = _of_kind(str(kind), chosen)
    return {path: content for path, content in made.items() if content["data"]}


def write_multiqc(files: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write every file, each whole or not at all. Raises InputError when the disk refuses."""
    for path, content in files.items():
        with growing_file(path) as growing:
            growing.write_text(json.dumps(content, indent=1, sort_keys=False) + "\n", encoding="utf-8")


def _general(results: Sequence[Result], sections: Sequence[Section]) -> dict[str, Any]:
    headers: dict[str, dict[str, str]] = {}
    data: dict[str, dict[str, float]] = {}
    for result, section in zip(results, sections, strict=True):
        for key, title, value in section.metrics:
            if math.isfinite(value):
                column = f"{result.kind}_{key}"
                headers[column] = {"title": title, "description": f"{title} ({section.title})", "namespace": HOME}
                headers[column]["format"] = "{:,.4g}"
                data.setdefault(_sample(result), {})[column] = value
    return {
        "id": GENERAL, "plot_type": "generalstats", "headers": headers, "data": data,
        "pconfig": [{name: about} for name, about in headers.items()],
    }  # fmt: skip


def _of_kind(kind: str, chosen: Sequence[tuple[Result, Section]]) -> dict[str, Any]:
    headers: dict[str, dict[str, str]] = {}
    data: dict[str, dict[str, float | str]] = {}
    for result, section in chosen:
        row = data.setdefault(_sample(result), {})
        for key, title, value in section.metrics:
            if math.isfinite(value):
                headers[key] = {"title": title, "format": "{:,.4g}"}
                row[key] = value
        headers["verdict"] = {"title": "Verdict", "description": "the first sentence of the report"}
        row["verdict"] = section.verdicts[0].text if section.verdicts else ""
    about = f"genolstm_{kind}"
    return {
        "id": about, "parent_id": HOME, "parent_name": HOME, "section_name": f"genolstm: {kind}",
        "description": f"Results of the kind '{kind}', as in genolstm report.", "plot_type": "table",
        "pconfig": {"id": f"{about}_table", "title": f"genolstm: {kind}"}, "headers": headers, "data": data,
    }  # fmt: skip


def _sample(result: Result) -> str:
    return result.name.removesuffix(".h5")
