"""A folder of wheels is installed from only if it arrived whole, for this machine, and into a new place."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "install_offline.py"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return tools/install_offline.py, with every command recorded, not run."""
    specification = importlib.util.spec_from_file_location("offline_under_test", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.calls, module.environments, module.failing = [], [], ""

    def record(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        module.calls.append(command)
        module.environments.append(options["env"])
        failed = module.failing and any(module.failing in word for word in command)
        return subprocess.CompletedProcess(command, 1 if failed else 0)

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=record))
    return module


@pytest.fixture
def folder(offline: ModuleType, tmp_path: Path) -> Path:
    """A folder of wheels that is whole and for this machine."""
    place = tmp_path / "folder"
    (place / "wheels").mkdir(parents=True)
    for name in ("numpy-2-any.whl", "huanjie-0.1.0-py3-none-any.whl"):
        (place / "wheels" / name).write_bytes(name.encode())
    (place / "requirements.lock").write_text("numpy==2\n", encoding="utf-8")
    here = {"platform": offline.this_machine(), "python": "{}.{}".format(*sys.version_info)}
    (place / "target.json").write_text(json.dumps(here), encoding="utf-8")
    (place / "安装说明.txt").write_text("说明", encoding="utf-8")
    signed(place)
    return place


def signed(folder: Path) -> None:
    """Write the list of checksums as the command that makes the folder does."""
    specification = importlib.util.spec_from_file_location("dev_signing", SCRIPT.with_name("dev.py"))
    assert specification is not None
    assert specification.loader is not None
    dev = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(dev)
    dev.write_sums(folder)


def test_it_installs_from_the_folder_alone_and_by_hashes(
    offline: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "somewhere")
    monkeypatch.setenv("PIP_FIND_LINKS", "elsewhere")
    done = offline.install(folder, tmp_path / "new")
    assert done.parent.parent == tmp_path / "new"
    _, packages, own, version = offline.calls
    assert {"--no-index", "--require-hashes", "--find-links", str(folder / "wheels")} <= set(packages)
    assert own[-1] == str(folder / "wheels" / "huanjie-0.1.0-py3-none-any.whl")
    assert {"--no-index", "--no-deps"} <= set(own)
    assert version[-1] == "--version"
    for environment in offline.environments:
        assert not {"PIP_INDEX_URL", "PIP_FIND_LINKS"} & environment.keys()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "wheels" / "numpy-2-any.whl").write_bytes(b"x"), "wheels/numpy-2-any.whl 已损坏"),
        (lambda f: (f / "wheels" / "numpy-2-any.whl").unlink(), "缺少 wheels/numpy-2-any.whl"),
        (lambda f: (f / "wheels" / "evil.whl").write_bytes(b"x"), "wheels/evil.whl 不在"),
        (lambda f: (f / "安装说明.txt").write_text("别的", encoding="utf-8"), "安装说明.txt 已损坏"),
        (lambda f: (f / "SHA256SUMS").unlink(), "缺少 SHA256SUMS"),
        (lambda f: (f / "SHA256SUMS").write_text("abc\n", encoding="utf-8"), "读不懂的行"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_before_anything_runs(
    offline: ModuleType, folder: Path, tmp_path: Path, spoil: Any, told: str
) -> None:
    assert offline.broken(folder) == []
    spoil(folder)
    with pytest.raises(offline.InstallError, match=told):
        offline.install(folder, tmp_path / "new")
    assert offline.calls == []


@pytest.mark.parametrize("other", [{"python": "3.99"}, {"platform": "windows-arm"}])
def test_packages_for_another_machine_or_python_are_refused(
    offline: ModuleType, folder: Path, tmp_path: Path, other: dict[str, str]
) -> None:
    target = folder / "target.json"
    target.write_text(json.dumps(json.loads(target.read_text(encoding="utf-8")) | other), encoding="utf-8")
    signed(folder)
    with pytest.raises(offline.InstallError, match="--python"):
        offline.install(folder, tmp_path / "new")
    assert offline.calls == []


def test_nothing_is_installed_over_something(offline: ModuleType, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a").touch()
    with pytest.raises(offline.InstallError, match="新的文件夹"):
        offline.install(folder, tmp_path / "new")
    assert offline.calls == []


@pytest.mark.parametrize("failing", ["venv", "--require-hashes", "--no-deps", "--version"])
def test_a_step_that_fails_stops_it(offline: ModuleType, folder: Path, tmp_path: Path, failing: str) -> None:
    offline.failing = failing
    with pytest.raises(offline.InstallError, match="这一步失败"):
        offline.install(folder, tmp_path / "new")
    assert failing in offline.calls[-1]


def test_the_copy_in_the_folder_checks_the_folder_it_lies_in(folder: Path) -> None:
    (folder / "install.py").write_bytes(SCRIPT.read_bytes())
    signed(folder)
    command = [sys.executable, str(folder / "install.py")]
    done = subprocess.run([*command, "--check"], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "requirements.lock").write_text("", encoding="utf-8")
    done = subprocess.run([*command, "--check"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "requirements.lock 已损坏" in done.stderr
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
