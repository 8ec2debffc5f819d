import importlib.util
from pathlib import Path

from huanjie_lib.contracts import TABLES

ROOT = Path(__file__).parents[2]


def render() -> str:
    spec = importlib.util.spec_from_file_location("data_dictionary", ROOT / "tools" / "data_dictionary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text: str = module.render()
    return text


def test_the_committed_dictionary_is_the_generated_one() -> None:
    assert (ROOT / "docs" / "data_dictionary.md").read_text(encoding="utf-8") == render()


def test_every_column_of_every_table_is_in_it() -> None:
    text = render()
    for table in TABLES.values():
        assert f"## `{table.name}` {table.label}" in text
        assert all(f"| `{c.name}` | {c.label} |" in text for c in table.columns)
