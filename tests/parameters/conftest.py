from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.parameters.packs import DEFAULT, Edit


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the default pack with edits to its files."""

    def build(**edits: Edit) -> Path:
        for file in DEFAULT.glob("*.yaml"):
            data = yaml.safe_load(file.read_text(encoding="utf-8"))
            edits.get(file.stem, lambda _: None)(data)
            (tmp_path / file.name).write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        return tmp_path

    return build
