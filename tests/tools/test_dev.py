"""The set-up commands: quick when nothing changed, clear when they cannot go on."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return tools/dev.py, pointed at an empty project folder and with every command recorded, not run."""
    specification = importlib.util.spec_from_file_location("dev_under_test", ROOT / "tools" / "dev.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for name, path in {
        "ROOT": tmp_path,
        "VENV": tmp_path / ".venv",
        "STAMP": tmp_path / ".venv" / "stamp.json",
        "LOCK": tmp_path / "requirements.lock",
        "DEV_LOCK": tmp_path / "requirements-dev.lock",
        "SPARK_LOCK": tmp_path / "requirements-spark.lock",
        "PYPROJECT": tmp_path / "pyproject.toml",
    }.items():
        monkeypatch.setattr(module, name, path)
    for path in (module.LOCK, module.DEV_LOCK, module.SPARK_LOCK, module.PYPROJECT):
        path.write_text("a", encoding="utf-8")

    def record(*command: object, **_: str) -> int:
        words = [str(word) for word in command]
        module.calls.append(words)
        if "venv" in words:
            python = module.program("python")
            python.parent.mkdir(parents=True)
            python.touch()
        return module.codes.get(next((key for key in module.codes if key in words), None), 0)

    module.calls = []
    module.codes = {}
    monkeypatch.setattr(module, "run", record)
    return module


def installed_locks(dev: ModuleType) -> list[str]:
    return [Path(call[-1]).name for call in dev.calls if "--require-hashes" in call]


def test_setup_installs_the_lock_once(dev: ModuleType) -> None:
    dev.setup(dev=False)
    assert installed_locks(dev) == ["requirements.lock"]
    (editable,) = (call for call in dev.calls if "--editable" in call)
    assert {"--no-deps", "--no-index", "--no-build-isolation"} <= set(editable)
    dev.calls.clear()
    dev.setup(dev=False)
    assert dev.calls == []


@pytest.mark.parametrize("changed", ["LOCK", "DEV_LOCK", "SPARK_LOCK", "PYPROJECT"])
def test_setup_runs_again_when_an_input_changes(dev: ModuleType, changed: str) -> None:
    dev.setup(dev=False)
    dev.calls.clear()
    getattr(dev, changed).write_text("b", encoding="utf-8")
    dev.setup(dev=False)
    assert installed_locks(dev) == ["requirements.lock"]


def test_development_environment_serves_the_application_and_stays(dev: ModuleType) -> None:
    dev.setup(dev=False)
    dev.setup(dev=True)
    everything = ["requirements.lock", "requirements-dev.lock", "requirements-spark.lock"]
    assert installed_locks(dev) == everything
    dev.calls.clear()
    dev.setup(dev=False)
    assert dev.calls == []
    dev.LOCK.write_text("b", encoding="utf-8")
    dev.setup(dev=False)
    assert installed_locks(dev) == everything[1:]


def test_moved_folder_gets_a_new_environment(dev: ModuleType) -> None:
    dev.setup(dev=False)
    stamp = json.loads(dev.STAMP.read_text(encoding="utf-8"))
    dev.STAMP.write_text(json.dumps({**stamp, "root": "elsewhere"}), encoding="utf-8")
    dev.program("python").unlink()
    dev.program("python").parent.rmdir()
    dev.calls.clear()
    dev.setup(dev=False)
    assert any("--clear" in call for call in dev.calls)


@pytest.mark.parametrize(
    ("failing", "remedy"),
    [("venv", "python3-venv"), ("--require-hashes", "PIP_INDEX_URL"), ("--editable", "本项目")],
)
def test_failed_step_says_what_to_do_and_leaves_no_stamp(dev: ModuleType, failing: str, remedy: str) -> None:
    dev.codes[failing] = 1
    with pytest.raises(dev.SetupError, match=remedy):
        dev.setup(dev=False)
    assert not dev.STAMP.exists()


def test_run_is_current_only_while_newer_than_every_input(dev: ModuleType, tmp_path: Path) -> None:
    data, code, manifest = tmp_path / "data", tmp_path / "code", tmp_path / "manifest.json"
    for path, age in ((data / "a" / "units.csv", 30), (code / "risk.py", 20), (manifest, 10)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert dev.run_is_current(manifest, data, code)
    cache = code / "__pycache__" / "risk.pyc"
    cache.parent.mkdir()
    cache.touch()
    assert dev.run_is_current(manifest, data, code)
    (data / "a" / "units.csv").touch()
    assert not dev.run_is_current(manifest, data, code)
    manifest.unlink()
    assert not dev.run_is_current(manifest, data, code)


def test_named_browser_must_exist(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUANJIE_CHROMIUM", sys.executable)
    assert dev.find_browser() == {"HUANJIE_CHROMIUM": sys.executable}
    monkeypatch.setenv("HUANJIE_CHROMIUM", "no-such-browser")
    with pytest.raises(dev.SetupError, match="no-such-browser"):
        dev.find_browser()


def test_without_a_browser_the_remedy_is_named(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUANJIE_CHROMIUM", raising=False)
    monkeypatch.setattr(dev, "BROWSERS", ("no-such-browser",))
    assert dev.find_browser() == {}
    assert dev.calls[-1][-3:] == ["playwright", "install", "chromium"]
    dev.codes["playwright"] = 1
    with pytest.raises(dev.SetupError, match="HUANJIE_CHROMIUM"):
        dev.find_browser()


def test_benchmarks_are_asked_what_was_asked(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "SYSTEM", ())
    monkeypatch.setattr(dev, "find_browser", dict)
    asked = ["--only", "risk", "clusters.breaks", "--against", "reference.json", "--help"]
    dev.codes["benchmarks"] = 1  # a limit is missed
    assert dev.main(["bench", *asked]) == 1
    assert dev.calls[-1][1:] == ["-m", "benchmarks", *asked]


def test_missing_system_package_stops_ci_only(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "SYSTEM", (("no-such-package", "no-such-program"),))
    monkeypatch.setattr(dev.shutil, "which", lambda name: "apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(dev.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.delenv("CI", raising=False)
    dev.install_system_packages()
    assert dev.calls[-1][-1] == "no-such-package"
    dev.codes["apt-get"] = 100
    dev.install_system_packages()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(dev.SetupError, match="no-such-package"):
        dev.install_system_packages()


def test_a_file_of_any_version_proves_a_package(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dev, "SYSTEM", (("server", f"{tmp_path}/server/*/bin/initdb"),))
    assert dev.missing_system_packages() == ["server"]
    program = tmp_path / "server" / "17" / "bin" / "initdb"
    program.parent.mkdir(parents=True)
    program.touch()
    assert dev.missing_system_packages() == []


def test_unknown_word_is_refused() -> None:
    command = [sys.executable, str(ROOT / "tools" / "dev.py"), "appp"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert "appp" in done.stderr


# ---------------------------------------------------------------- without network


@pytest.mark.parametrize("target", ["linux-x86_64", "windows-x86_64", "macos-arm64"])
def test_wheels_are_fetched_by_hash_for_the_machine_that_was_asked_for(
    dev: ModuleType, tmp_path: Path, target: str
) -> None:
    dev.make_wheels(tmp_path / "out", target=target, python="3.12")
    (download,) = (call for call in dev.calls if "download" in call)
    assert {"--require-hashes", "--no-deps", "--only-binary", "3.12", "cp312", "abi3", "none"} <= set(
        download
    )
    assert set(dev.TAGS[target]) <= set(download)
    (build,) = (call for call in dev.calls if "wheel" in call)
    assert {"--no-deps", "--no-index", "--no-build-isolation"} <= set(build)
    told = json.loads((tmp_path / "out" / "target.json").read_text(encoding="utf-8"))
    assert told == {"platform": target, "python": "3.12"}
    assert dev.install_offline.broken(tmp_path / "out") == []
    page = (tmp_path / "out" / "安装说明.txt").read_text(encoding="utf-8")
    assert ("py install.py" in page) == target.startswith("windows")


@pytest.mark.parametrize(
    ("target", "python", "told"),
    [("linux-mips", "3.12", "linux-mips"), ("", "3.12", "--platform"), ("linux-x86_64", "3.9", "3.9")],
)
def test_a_machine_or_python_without_packages_is_refused(
    dev: ModuleType, tmp_path: Path, target: str, python: str, told: str
) -> None:
    with pytest.raises(dev.SetupError, match=told):
        dev.make_wheels(tmp_path / "out", target=target, python=python)
    assert dev.calls == []


def test_wheels_are_written_into_a_new_folder_only(dev: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(dev.SetupError, match="已有内容"):
        dev.make_wheels(tmp_path, target="linux-x86_64", python="3.12")
    dev.codes["download"] = 1
    with pytest.raises(dev.SetupError, match="PIP_INDEX_URL"):
        dev.make_wheels(tmp_path / "out", target="linux-x86_64", python="3.12")
    assert not (tmp_path / "out" / "SHA256SUMS").exists()  # so nobody installs from it


def test_setup_from_a_folder_of_wheels_looks_nowhere_else(dev: ModuleType, tmp_path: Path) -> None:
    dev.make_wheels(
        tmp_path / "out", target=dev.install_offline.this_machine(), python="{}.{}".format(*sys.version_info)
    )
    dev.STAMP.unlink()
    dev.calls.clear()
    dev.setup(dev=False, wheels=tmp_path / "out")
    (packages,) = (call for call in dev.calls if "--require-hashes" in call)
    assert {"--no-index", str(tmp_path / "out" / "wheels")} <= set(packages)
    with pytest.raises(dev.SetupError, match="--dev"):
        dev.setup(dev=True, wheels=tmp_path / "out")
    (tmp_path / "out" / "target.json").write_text("{}", encoding="utf-8")
    with pytest.raises(dev.SetupError, match=r"target\.json"):
        dev.setup(dev=False, wheels=tmp_path / "out")


@pytest.mark.parametrize(
    ("target", "python", "there", "not_there"),
    [
        ("linux-x86_64", "3.11", {"pexpect", "overrides"}, {"pywinpty", "colorama", "appnope"}),
        ("windows-x86_64", "3.13", {"pywinpty", "colorama"}, {"pexpect", "overrides", "appnope"}),
        ("macos-arm64", "3.12", {"pexpect", "appnope"}, {"pywinpty", "colorama", "overrides"}),
    ],
)
def test_the_lock_is_narrowed_to_the_machine_and_keeps_every_hash(
    dev: ModuleType, tmp_path: Path, target: str, python: str, there: set[str], not_there: set[str]
) -> None:
    lock, out = ROOT / "requirements.lock", tmp_path / "out.lock"
    asked = json.dumps({"target": target, "python": python})
    subprocess.run([sys.executable, "-c", dev.FILTER, str(lock), str(out), asked], check=True)
    entries = {
        entry.partition("==")[0]: entry for entry in re.split(r"(?<!\\)\n", out.read_text("utf-8").strip())
    }
    assert there <= entries.keys()
    assert not not_there & entries.keys()
    whole = lock.read_text(encoding="utf-8")
    for entry in entries.values():
        head, *hashes = entry.split(" \\\n")
        assert ";" not in head
        assert hashes
        assert " \\\n".join(hashes) in whole
