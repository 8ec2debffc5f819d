"""What is tracked holds nothing of the machine it was written on, and no package registry's address."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THIS = Path(__file__).relative_to(ROOT).as_posix()

#: A lock that names a registry stops working behind a mirror; a machine's folders mean nothing elsewhere.
FOREIGN = (
    b"pypi.org",
    b"files.pythonhosted.org",
    b"registry.npmjs.org",
    b"/work/",
    b"/opt/pypi",
    b"/opt/wheels",
    b"/root/",
)


def foreign_words(content: bytes) -> list[str]:
    """Return the words that may not stand in a tracked file."""
    return [word.decode() for word in FOREIGN if word in content]


def test_no_tracked_file_names_a_machine_or_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    tracked = [name for name in listed.split("\0") if name and name != THIS and (ROOT / name).is_file()]
    assert "pyproject.toml" in tracked
    found = {name: words for name in tracked if (words := foreign_words((ROOT / name).read_bytes()))}
    assert found == {}


def test_check_finds_a_registry() -> None:
    assert foreign_words(b'"resolved": "https://registry.npmjs.org/leaflet"') == ["registry.npmjs.org"]
    assert foreign_words("数据在 data/sample 中".encode()) == []
