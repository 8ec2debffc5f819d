"""Tests mirror the package: huanjie_lib/a/b.py has tests/a/test_b.py."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Modules without a test module of their own, each with its reason.
EXEMPT: dict[str, str] = {}


def modules(package: Path) -> dict[str, Path]:
    """Return the test module that each module of a package should have, by the module's own path."""
    return {
        path.relative_to(package).as_posix(): path.relative_to(package).with_name(
            f"test_{path.stem.lstrip('_')}.py"
        )
        for path in sorted(package.rglob("*.py"))
        if not path.stem.startswith("__")
    }


def without_tests(package: Path, tests: Path) -> list[str]:
    """Return the modules whose test module is missing or holds no test."""
    found = []
    for module, test in modules(package).items():
        path = tests / test
        if not path.is_file() or "def test_" not in path.read_text(encoding="utf-8"):
            found.append(module)
    return found


def test_every_module_has_its_test_module() -> None:
    assert modules(ROOT / "huanjie_lib")
    assert [name for name in without_tests(ROOT / "huanjie_lib", ROOT / "tests") if name not in EXEMPT] == []


def test_exemptions_are_needed() -> None:
    assert set(EXEMPT) <= set(without_tests(ROOT / "huanjie_lib", ROOT / "tests"))


def test_check_finds_a_module_without_tests(tmp_path: Path) -> None:
    package, tests = tmp_path / "package", tmp_path / "tests"
    for path in (package / "risk" / "scoring.py", package / "risk" / "_blocks.py", package / "__init__.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tests / "risk").mkdir(parents=True)
    (tests / "risk" / "test_blocks.py").write_text("def test_a(): ...\n", encoding="utf-8")
    assert without_tests(package, tests) == ["risk/scoring.py"]
    (tests / "risk" / "test_scoring.py").write_text("# empty\n", encoding="utf-8")
    assert without_tests(package, tests) == ["risk/scoring.py"]
