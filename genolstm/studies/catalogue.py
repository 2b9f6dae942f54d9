"""Every study by name; each is a module of its own, imported when it is asked for."""

import importlib
from collections.abc import Callable, Mapping
from functools import partial

from genolstm.settings.study import StudyName, StudySettings
from genolstm.store.study import Study

OnProgress = Callable[[str], None]
StudyFunction = Callable[[StudySettings, OnProgress], Study]


def run_study(name: StudyName, settings: StudySettings, on_progress: OnProgress) -> Study:
    """Run one study. on_progress : called with a line of text now and then, on how far it is."""
    # a study may need packages that only it needs
    module = importlib.import_module(f"genolstm.studies.{name.replace('-', '_')}")
    study: Study = module.study(settings, on_progress)
    return study


STUDIES: Mapping[StudyName, StudyFunction] = {name: partial(run_study, name) for name in StudyName}
