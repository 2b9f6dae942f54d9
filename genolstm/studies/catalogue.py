"""Every study by name; each is a module of its own, imported when it is asked for."""

import importlib
from collections.abc import Callable, Mapping
from functools import partial

from genolstm.settings.study import StudyName, StudySettings
from genolstm.store.study import Study

Told = Callable[[str], None]
StudyFunction = Callable[[StudySettings, Told], Study]


def run_study(name: StudyName, settings: StudySettings, told: Told) -> Study:
    """Run one study. told : is given a few words now and then, on how far it is."""
    # a study may need packages that only it needs
    module = importlib.import_module(f"genolstm.studies.{name.replace('-', '_')}")
    study: Study = module.study(settings, told)
    return study


STUDIES: Mapping[StudyName, StudyFunction] = {name: partial(run_study, name) for name in StudyName}
