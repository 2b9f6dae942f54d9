"""The pictures of studies, drawn from their tables alone: the command and the report draw the same."""

import importlib
from pathlib import Path

from genolstm.figures.style import Picture, styled
from genolstm.settings.study import StudyName
from genolstm.store.study import Study, read_studies

DRAWERS: dict[StudyName, tuple[str, str]] = {  # module in this package, function: Study -> list[Picture]
    StudyName.HALF_LIFE: ("study_gates", "half_life"),
    StudyName.VANISHING: ("study_gates", "vanishing"),
    StudyName.COPY: ("study_recall", "copy"),
    StudyName.BRACKETS: ("study_recall", "brackets"),
    StudyName.COUNTING: ("study_counting", "counting"),
    StudyName.FORGETTING: ("study_forgetting", "forgetting"),
    StudyName.VOLATILITY: ("study_volatility", "volatility"),
    StudyName.PARSIMONY: ("study_parsimony", "parsimony"),
    StudyName.KNOCKOUT: ("study_knockout", "knockout"),
    StudyName.TELEMETRY: ("study_telemetry", "telemetry"),
    StudyName.LONG_LAGS: ("study_long_lags", "long_lags"),
    StudyName.SOURCE_CODE: ("study_source_code", "source_code"),
    StudyName.BOUNDARY: ("study_boundary", "boundary"),
    StudyName.CHROMATIN: ("study_chromatin", "chromatin"),
}


def pictures_of(study: Study) -> list[Picture]:
    """Draw a study; the most informative picture first, named after the study."""
    module, function = DRAWERS[StudyName(study.name)]
    with styled():
        pictures: list[Picture] = getattr(importlib.import_module(f"genolstm.figures.{module}"), function)(study)
    return pictures


def pictures_of_file(path: Path) -> list[Picture]:
    """Draw every study of a file. Raises InputError as `store.files.open_file`."""
    studies = read_studies(path)
    return [picture for name in StudyName if name in studies for picture in pictures_of(studies[name])]
