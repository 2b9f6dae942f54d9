"""What has a sequence model learned from your genome? Next-nucleotide LSTMs, linear probes, honest controls.

``import genolstm as gl`` loads nothing heavy: each name below is fetched when it is first asked for. Nothing prints or
writes a file unless asked to; messages go to the logger ``genolstm``, which is silent until it is given a handler.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genolstm.api.comparing import Compared, compare
    from genolstm.api.control import control
    from genolstm.api.explaining import Dependencies, Motifs, Samples, dependencies, motifs, region_figure, sample
    from genolstm.api.fitting import Methylation, MethylationContrast, compare_methylation, fit_methylation
    from genolstm.api.genomes import Genome, Sites, open_genome
    from genolstm.api.models import Model, Training, load, train
    from genolstm.api.opening import open_result
    from genolstm.api.predicting import Predictions, predict
    from genolstm.api.probing import Probe, probe_accessibility, probe_protein, probe_sites, probe_splice
    from genolstm.api.reading import Embedding, Scores, embed, probabilities, score
    from genolstm.api.variants import Snvs, Variants, all_snvs, score_variants
    from genolstm.errors import GenolstmError, InputError, UsageError

__version__ = "0.3.0"

__all__ = [
    "Compared",
    "Dependencies",
    "Embedding",
    "GenolstmError",
    "Genome",
    "InputError",
    "Methylation",
    "MethylationContrast",
    "Model",
    "Motifs",
    "Predictions",
    "Probe",
    "Samples",
    "Scores",
    "Sites",
    "Snvs",
    "Training",
    "UsageError",
    "Variants",
    "__version__",
    "all_snvs",
    "compare",
    "compare_methylation",
    "control",
    "dependencies",
    "embed",
    "fit_methylation",
    "load",
    "motifs",
    "open_genome",
    "open_result",
    "predict",
    "probabilities",
    "probe_accessibility",
    "probe_protein",
    "probe_sites",
    "probe_splice",
    "region_figure",
    "sample",
    "score",
    "score_variants",
    "train",
]  # fmt: skip

_HOMES = {  # module -> names that it gives
    "errors": ("GenolstmError", "InputError", "UsageError"),
    "api.comparing": ("Compared", "compare"),
    "api.control": ("control",),
    "api.explaining": ("Dependencies", "Motifs", "Samples", "dependencies", "motifs", "region_figure", "sample"),
    "api.fitting": ("Methylation", "MethylationContrast", "compare_methylation", "fit_methylation"),
    "api.genomes": ("Genome", "Sites", "open_genome"),
    "api.models": ("Model", "Training", "load", "train"),
    "api.opening": ("open_result",),
    "api.predicting": ("Predictions", "predict"),
    "api.probing": ("Probe", "probe_accessibility", "probe_protein", "probe_sites", "probe_splice"),
    "api.reading": ("Embedding", "Scores", "embed", "probabilities", "score"),
    "api.variants": ("Snvs", "Variants", "all_snvs", "score_variants"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

logging.getLogger(__name__).addHandler(logging.NullHandler())  # without one, Python prints warnings to stderr


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOME_OF:
        raise AttributeError(f"module 'genolstm' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"genolstm.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
