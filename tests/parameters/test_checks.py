from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parameters.packs import Edit, refusal


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"gates": lambda d: d["gates"][0].update(check="bribe")}, "check：发现“bribe”"),
        (
            {"gates": lambda d: d["gates"][3]["options"].update(min_days={"rule": "no_such_rule"})},
            "发现“no_such_rule”",
        ),
        ({"gates": lambda d: d["gates"][0].update(options={"strict": 1})}, "发现“strict”"),
        ({"signals": lambda d: d["signals"][0].update(check="guess")}, "check：发现“guess”；应为：roll_gap"),
        ({"signals": lambda d: d["signals"][1].update(id="roll_gap")}, "不重复的编号"),
        ({"signals": lambda d: d["signals"][0]["options"].update(min_effect=0)}, "min_effect：发现“0”"),
        ({"signals": lambda d: d["signals"][4]["options"].pop("window_days")}, "应为：window_days"),
        (
            {"signals": lambda d: d["signals"][4]["options"].update(lead_kinds=["gossip"])},
            "发现“('gossip',)”",
        ),
        (
            {"signals": lambda d: d["signals"][5]["options"].update(departments={"rule": "nobody"})},
            "发现“nobody”",
        ),
        ({"signals": lambda d: d.update(fdr=0.6)}, "fdr：发现“0.6”；应为：不大于 0.5 的数"),
    ],
)
def test_a_bad_check_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))
