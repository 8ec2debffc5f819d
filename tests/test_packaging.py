"""The lock files, environment.yml and the wheel say the same as pyproject.toml."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
OURS = {"huanjie_lib", "tests", "benchmarks"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]
DEV = [Requirement(text) for text in PYPROJECT["project"]["optional-dependencies"]["dev"]]
SPARK = [Requirement(text) for text in PYPROJECT["project"]["optional-dependencies"]["spark"]]
BACKEND = [Requirement(text) for text in PYPROJECT["build-system"]["requires"]]
LOCKS = {
    "requirements.lock": RUNTIME + BACKEND,
    "requirements-dev.lock": RUNTIME + BACKEND + DEV,
    "requirements-spark.lock": SPARK,
}
MACHINES = [
    {
        "sys_platform": platform,
        "os_name": os_name,
        "python_full_version": f"{python}.0",
        "python_version": python,
    }
    for platform, os_name in (("linux", "posix"), ("win32", "nt"), ("darwin", "posix"))
    for python in ("3.11", "3.12", "3.13")
]
#: conda-forge's name where it is not PyPI's; matplotlib there means "with a Qt desktop".

CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "ibis-framework": "ibis-duckdb",
    "jupyter-client": "jupyter_client",
    "jupyter-server": "jupyter_server",
    "matplotlib": "matplotlib-base",
    "ortools": "ortools-python",
}
#: Not on conda-forge; pip installs them into the same environment.
PIP_ONLY = {"chinesecalendar", "pysqlite3", "typst"}


@dataclass(frozen=True)
class Pin:
    """One entry of a lock file."""

    name: str
    version: Version
    marker: Marker | None
    hashes: tuple[str, ...]


def pins(text: str) -> Iterator[Pin]:
    """Read a lock file; refuse any line that is not a pinned requirement with its hashes."""
    for entry in re.split(r"(?<!\\)\n", text.strip()):
        head, *hashes = (part.strip() for part in entry.split("\\\n"))
        requirement = Requirement(head)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", entry
        assert requirement.url is None, entry
        assert hashes, f"no hashes: {head}"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", part) for part in hashes), entry
        yield Pin(
            canonicalize_name(requirement.name), Version(specifier.version), requirement.marker, tuple(hashes)
        )


def applies(marker: Marker | None, machine: dict[str, str]) -> bool:
    """Tell whether an entry is installed on a machine."""
    return marker is None or marker.evaluate(machine)


def unsatisfied(requirements: list[Requirement], locked: list[Pin], machine: dict[str, str]) -> list[str]:
    """Return the requirements for which a machine gets no, two or a wrong version."""
    faults = []
    for requirement in requirements:
        versions = [
            pin.version
            for pin in locked
            if pin.name == canonicalize_name(requirement.name) and applies(pin.marker, machine)
        ]
        if applies(requirement.marker, machine) and not (
            len(versions) == 1 and requirement.specifier.contains(versions[0])
        ):
            faults.append(f"{requirement}: {versions}")
    return faults


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_every_requirement_on_every_machine(name: str) -> None:
    locked = list(pins((ROOT / name).read_text(encoding="utf-8")))
    for machine in MACHINES:
        assert unsatisfied(LOCKS[name], locked, machine) == []


def test_lock_check_finds_a_missing_and_a_wrong_version() -> None:
    line = f"numpy==1.0 \\\n    --hash=sha256:{'0' * 64}\n"
    wanted = [Requirement("numpy>=2"), Requirement("pandas")]
    assert len(unsatisfied(wanted, list(pins(line)), MACHINES[0])) == 2
    for bad in ("numpy==1.0", "numpy>=1.0 \\\n    --hash=sha256:" + "0" * 64, "--index-url x", "-e ."):
        with pytest.raises((AssertionError, ValueError)):
            list(pins(bad))


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|@|\bfile:|index|find-links|/", text)


def test_development_lock_extends_the_applications() -> None:
    runtime, dev, spark = (set(pins((ROOT / name).read_text(encoding="utf-8"))) for name in LOCKS)
    versions = {(pin.name, pin.version) for pin in dev}
    assert {(pin.name, pin.version) for pin in runtime} <= versions
    assert not {"pytest", "mypy", "playwright"} & {pin.name for pin in runtime}
    assert {pin.name for pin in spark} == {"pyspark", "py4j"}, "no desk needs these, and none gets them"
    assert not {pin.name for pin in spark} & {pin.name for pin in runtime | dev}


def undeclared(folder: Path, declared: list[Requirement]) -> list[str]:
    """Return the imports of other distributions that are installed only because something else needs them."""
    names = {canonicalize_name(requirement.name) for requirement in declared}
    owners = packages_distributions()
    found, own = set(), OURS | {path.stem for path in folder.glob("*.py")}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - own:
                if not names & {canonicalize_name(owner) for owner in owners.get(module, [])}:
                    found.add(f"{path.name}: {module}")
    return sorted(found)


@pytest.mark.parametrize(
    ("folder", "declared"),
    [("huanjie_lib", RUNTIME + SPARK), ("tests", RUNTIME + DEV + SPARK), ("tools", RUNTIME + DEV)],
)
def test_every_import_is_declared(folder: str, declared: list[Requirement]) -> None:
    assert undeclared(ROOT / folder, declared) == []


def test_import_check_finds_what_is_not_declared(tmp_path: Path) -> None:
    code = "import os, yaml\nfrom jinja2.sandbox import x\nimport nowhere\nfrom . import a\n"
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    assert undeclared(tmp_path, [Requirement("PyYAML")]) == ["a.py: jinja2", "a.py: nowhere"]


def conda_requirements() -> list[object]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == "huanjie"
    return environment["dependencies"]


def test_conda_environment_equals_pyproject() -> None:
    python = f"python{PYPROJECT['project']['requires-python']}"
    wanted = [
        f"{CONDA_NAMES.get(item.name, item.name)}{item.specifier}"
        for item in RUNTIME
        if item.name not in PIP_ONLY
    ]
    by_pip = [f"{item.name}{item.specifier}" for item in RUNTIME if item.name in PIP_ONLY]
    assert conda_requirements() == [python, "pip", *wanted, {"pip": by_pip}]


def test_wheel_holds_everything_a_user_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("huanjie_lib/")}
        entry_points = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "huanjie = huanjie_lib.cli:main" in archive.read(entry_points[0]).decode()
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "huanjie_lib"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    shipped = {name for name in tracked if name and not name.startswith("huanjie_lib/screens/js/")}
    assert shipped - packed == set()
    assert "huanjie_lib/screens/apps/overview.ipynb" in packed
    assert {f"huanjie_lib/fonts/HuanjieSans-{weight}.ttf" for weight in ("Regular", "Bold")} <= packed
