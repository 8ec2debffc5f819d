r"""Install huanjie from the folder that this file lies in, on a machine without network.

The folder is made by ``python3 tools/dev.py wheels FOLDER`` on a connected machine and carried over. Standard
library only; on Linux, macOS and Windows::

    python3 install.py /opt/huanjie-0.1.0         # a new folder; Windows: py install.py D:\huanjie-0.1.0
    python3 install.py --check                    # only look whether the folder arrived whole

Every file is compared with ``SHA256SUMS`` first and every package with its hash in ``requirements.lock`` by
pip, which is told to look nowhere but here.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["TARGETS", "InstallError", "broken", "install", "main", "this_machine"]

SUMS = "SHA256SUMS"
LOCK = "requirements.lock"
WHEELS = "wheels"
TARGET = "target.json"

#: What runs where: name → (sys.platform, machines as Python names them).
TARGETS = {
    "linux-x86_64": ("linux", {"x86_64"}),
    "linux-aarch64": ("linux", {"aarch64"}),
    "windows-x86_64": ("win32", {"AMD64"}),
    "macos-arm64": ("darwin", {"arm64"}),
}


class InstallError(Exception):
    """The installation cannot go on; the text says why and what to do, in Chinese and English."""


def this_machine() -> str:
    """Return the name of the kind of machine that this is; empty where there are no ready-made packages."""
    here = (sys.platform, platform.machine())
    return next(
        (name for name, (system, kinds) in TARGETS.items() if here[0] == system and here[1] in kinds), ""
    )


def broken(folder: Path) -> list[str]:
    """Return what is missing, altered or too much in a folder of wheels, each in a sentence."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return [f"缺少 {SUMS} / {SUMS} is missing"]
    faults, listed = [], set()
    for line in lines:
        found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if found is None:
            faults.append(f"{SUMS} 中有读不懂的行 / a line of {SUMS} cannot be read")
            continue
        digest, name = found.groups()
        listed.add(name)
        path = folder / name
        if not path.is_file():
            faults.append(f"缺少 {name} / {name} is missing")
        else:
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                    faults.append(f"{name} 已损坏或被改动 / {name} is damaged or was altered")
    there = {path.relative_to(folder).as_posix() for path in (folder / WHEELS).glob("*")}
    faults += [f"{name} 不在 {SUMS} 中 / {name} is not listed" for name in sorted(there - listed)]
    return faults


def check(folder: Path) -> None:
    """Refuse a folder that did not arrive whole.

    Raises
    ------
    InstallError
        With every fault.
    """
    faults = broken(folder)
    if faults:
        advice = "请重新拷贝整个文件夹 / copy the whole folder again"
        raise InstallError(
            "\n".join([f"安装文件夹不完整 / the folder is not whole：{folder}", *faults, advice])
        )


def check_machine(folder: Path) -> None:
    """Refuse a machine or a Python that the packages are not for.

    Raises
    ------
    InstallError
        With what it is and what is wanted.
    """
    wanted = json.loads((folder / TARGET).read_text(encoding="utf-8"))
    here = {"platform": this_machine(), "python": "{}.{}".format(*sys.version_info)}
    if here != wanted:
        raise InstallError(
            f"这些软件包用于 {wanted['platform']}、Python {wanted['python']}，本机为 "
            f"{here['platform'] or platform.machine()}、Python {here['python']}。请换用对应的 Python，"
            "或在联网机器上用 --platform、--python 重新制作。\n"
            f"The packages are for {wanted['platform']} and Python {wanted['python']}; use that Python, or "
            "make the folder again with --platform and --python."
        )


def install(folder: Path, into: Path) -> Path:
    """Make a virtual environment with the packages of a folder and return the path of ``huanjie`` in it.

    Raises
    ------
    InstallError
        If the folder is not whole or for another machine, something stands in the new place, or a step fails.
    """
    check(folder)
    check_machine(folder)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise InstallError(
            f"{into} 已有内容；升级时请装到新的文件夹，旧版留作退路。\n"
            f"{into} is not empty; install an upgrade into a new folder, so that the old one stays."
        )
    scripts = into / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    pip = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--quiet",
        "--no-index",
    ]
    (own,) = (folder / WHEELS).glob("huanjie-*.whl")
    steps = (
        ("建立虚拟环境 / creating the environment", [sys.executable, "-m", "venv", into]),
        (
            "安装软件包，约需 1–3 分钟 / installing the packages",
            [
                *pip,
                *("--require-hashes", "--only-binary", ":all:", "--find-links", folder / WHEELS),
                *("--requirement", folder / LOCK),
            ],
        ),
        ("安装换届工作台 / installing huanjie", [*pip, "--no-deps", own]),
        ("检查 / checking", [scripts / "huanjie", "--version"]),
    )
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PYTHONUTF8": "1"}
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_REQUIRE_VIRTUALENV"):
        environment.pop(name, None)
    for what, command in steps:
        print(f"[huanjie] {what}", flush=True)
        if subprocess.run([str(part) for part in command], env=environment, check=False).returncode != 0:
            raise InstallError(
                f"这一步失败（原因见上）：{what}。Debian/Ubuntu 须先装 python3-venv。\n"
                "This step failed (see above); Debian and Ubuntu need python3-venv."
            )
    return scripts / "huanjie"


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, check or install, and return the exit code."""
    parser = argparse.ArgumentParser(description="离线安装换届工作台 / install huanjie without network")
    parser.add_argument("into", nargs="?", type=Path, help="新的安装文件夹 / new folder to install into")
    parser.add_argument("--check", action="store_true", help="只核对文件 / only check the files")
    asked = parser.parse_args(arguments)
    if asked.check == (asked.into is not None):
        parser.error("给出安装文件夹或 --check / name a folder to install into, or --check")
    folder = Path(__file__).resolve().parent
    try:
        if asked.check:
            check(folder)
            print("[huanjie] 文件完整 / the folder is whole")
        else:
            print(f"[huanjie] 已安装 / installed: {install(folder, asked.into.absolute())}")
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows pipe may be in a code page without Chinese
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main())
