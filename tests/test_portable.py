"""No module of the package needs what only POSIX has: Windows is not walked in CI, so its code is read."""

from __future__ import annotations

import ast
import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "huanjie_lib"
MODULES = {"crypt", "fcntl", "grp", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty"}
OF_OS = {
    *("chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getuid"),
    *("killpg", "lchown", "mkfifo", "nice", "posix_spawn", "setgid", "setsid", "setuid", "sysconf", "uname"),
}
ON_WINDOWS = {"SIGABRT", "SIGBREAK", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"}
FILES = sorted(ROOT.rglob("*.py"))


def needs(tree: ast.Module) -> set[str]:
    """Return what a module takes for granted that Windows does not have."""
    found: set[str] = set()
    for node in tree.body:  # an import within a function may stand behind a look at the system
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} & MODULES
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and node.attr in OF_OS:
                found.add(f"os.{node.attr}")
            if node.value.id == "signal" and node.attr.startswith("SIG") and node.attr not in ON_WINDOWS:
                found.add(f"signal.{node.attr}")
    return found


@pytest.mark.skipif(os.name == "nt", reason="looks for what only POSIX has")
def test_what_is_looked_for_is_what_posix_alone_has() -> None:
    assert all(hasattr(os, name) for name in OF_OS)
    assert {"SIGHUP", "SIGKILL", "SIGXCPU"} <= set(dir(signal)) - ON_WINDOWS
    source = "import fcntl\nimport os, signal\nos.fork()\nsignal.signal(signal.SIGHUP, None)"
    assert needs(ast.parse(source)) == {"fcntl", "os.fork", "signal.SIGHUP"}


def test_no_module_needs_it() -> None:
    wanting = {
        path.relative_to(ROOT).as_posix(): lacks
        for path in FILES
        if (lacks := needs(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert wanting == {}
