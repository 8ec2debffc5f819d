import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huanjie_lib.parameters import load_parameters
from huanjie_lib.vocabulary import UnitKind


def test_kinds_are_read_from_value_or_label(pack: Callable[..., Path]) -> None:
    def some(data: dict[str, Any]) -> None:
        data["dimensions"][0]["indicators"][0]["applies_to"] = ["village", "社区"]

    indicators = copy.copy(load_parameters(pack(framework=some)).framework.indicators)
    assert indicators[0].applies_to == (UnitKind.VILLAGE, UnitKind.COMMUNITY)
