"""Names and colours of the feature sets of a probe, the same in all its pictures."""

from collections.abc import Iterable

from genolstm.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY

TRAINED = "trained"
DASHES = ("-", "--", ":", "-.")
SCORE_NAMES = {"auprc": "AUPRC", "auroc": "AUROC", "r2": "R\u00b2", "accuracy": "accuracy"}
FEATURE_NAMES = {
    "onehot": "one-hot window",
    "kmer": "k-mer counts",
    "shuffled": "shuffled labels",
    "shifted": "shifted labels",
    "control_task": "control task",
    "nn": "boosted trees on the states",
}
FAMILIES = {  # first part of a name -> colour; sets of one colour differ in their dashes
    TRAINED: BLUE,
    "untrained": BLACK,
    "nn": BLUE,
    "onehot": SKY,
    "kmer": ORANGE,
    "composition": PURPLE,
    "prefix": PURPLE,
    "length": GREEN,
    "shuffled": GREY,
    "shifted": GREY,
    "control": GREY,
}


def called(name: str) -> str:
    """Name of a feature set for readers."""
    family, _, number = name.partition("_")
    if family == "untrained":
        return f"random-init model {number}".strip()
    if family == "kmer" and number:
        return f"counts of {number}-mers"
    return FEATURE_NAMES.get(name, name.replace("_", " "))


def colours_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Name -> colour and dashes."""
    met: dict[str, int] = {}
    styles = {}
    for name in names:
        colour = FAMILIES.get(name.partition("_")[0], GREEN)
        styles[name] = (colour, DASHES[met.get(colour, 0) % len(DASHES)])
        met[colour] = met.get(colour, 0) + 1
    return styles
