"""The environment files ask for what the package asks for, and name files that exist."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"torch": "pytorch", "isal": "python-isal", "matplotlib": "matplotlib-base"}


@pytest.fixture(scope="module")
def needed():
    """Lower bounds of the package's dependencies, by conda's names."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    found = (re.match(r"([A-Za-z0-9-]+)(.*)", line).groups() for line in project["dependencies"])
    return {CONDA_NAMES.get(name, name): bound for name, bound in found}


def asked_for(lines):
    """Name -> bounds of the lines of an environment or a recipe."""
    return {line.split()[0]: "".join(line.split()[1:]) for line in lines if isinstance(line, str)}


def test_conda_environment_has_every_dependency(workflows, needed):
    environment = yaml.safe_load((workflows / "envs" / "environment.yml").read_text())
    asked = asked_for(environment["dependencies"])
    assert asked.keys() - {"python", "pip", "hatchling"} == needed.keys()
    assert {name: asked[name] for name in needed} == needed


def test_recipe_has_every_dependency_and_the_version(workflows, needed):
    import genolstm

    text = (workflows / "envs" / "meta.yaml").read_text()
    assert f'{{% set version = "{genolstm.__version__}" %}}' in text
    plain = re.sub(r"\{%.*?%\}", "", re.sub(r"\{\{.*?\}\}", "filled", text))  # without its templates it is YAML
    recipe = yaml.safe_load(plain)
    asked = asked_for(recipe["requirements"]["run"])
    assert asked.pop("python") == ">=3.11"
    assert asked == needed


def test_citation_and_changelog_name_the_version():
    import genolstm

    cited = yaml.safe_load((TOP / "CITATION.cff").read_text())
    assert cited["version"] == genolstm.__version__
    heading = re.search(r"^## (\S+)", (TOP / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1]
    assert heading == genolstm.__version__


def built_from():
    """What the wheel is made of, by pyproject.toml."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    return {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "genolstm",
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"],
    }


def covered(name, copied):
    """Whether a path or a folder around it is copied."""
    path = Path(name)
    return any(each.as_posix() in copied for each in (path, *path.parents))


def test_container_copies_what_the_wheel_is_made_of(workflows):
    definition = (workflows / "envs" / "genolstm.def").read_text()
    files = definition.split("%files")[1].split("%post")[0].split("\n")
    copied = [line.split()[0] for line in files if line.strip()]
    assert [name for name in built_from() if not covered(name, copied)] == []
    assert all((TOP / name).exists() for name in copied)


def test_dockerfile_copies_what_the_wheel_is_made_of():
    lines = [line.split()[1:] for line in (TOP / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    copied = [name for words in lines for name in words[:-1]]
    assert [name for name in built_from() if not covered(name, copied)] == []
    assert all((TOP / name).exists() for name in copied)
