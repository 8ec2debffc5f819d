"""Packs with faults, and what is told of them."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import load_parameters

DEFAULT = Path(str(resources.files("huanjie_lib") / "packs" / "default"))
Edit = Callable[[dict[str, Any]], object]


def refusal(folder: Path) -> str:
    with pytest.raises(ParameterError) as caught:
        load_parameters(folder)
    return str(caught.value)
