"""A pack is written whole or not at all, and reads back as it was meant."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from huanjie_lib.errors import ParameterError, UsageError
from huanjie_lib.parameters import Framework, ParameterSet, available_regions, load_parameters
from huanjie_lib.risk.weighting import propose_equal
from huanjie_lib.store import packs
from huanjie_lib.store.packs import write_pack

DEFAULT = Path(str(resources.files("huanjie_lib") / "packs" / "default"))
ADOPTED = load_parameters()
EQUAL = propose_equal(ADOPTED.framework).framework
DAY = dt.date(2027, 3, 1)


def write(folder: Path, parameters: ParameterSet = ADOPTED, **changes: Any) -> Path:
    asked = {"framework": EQUAL, "author": "换届办", "reason": "第三次会议决定", "effective_from": DAY}
    return write_pack(parameters, folder, **{**asked, **changes})


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("region", available_regions())
def test_what_is_written_reads_back_equal(tmp_path: Path, region: str) -> None:
    adopted = load_parameters(region=region)
    back = load_parameters(write(tmp_path / "pack", adopted), region=region)
    dated = {"author": "换届办", "reason": "第三次会议决定", "effective_from": DAY}
    wanted = EQUAL.model_copy(update={**dated, "version": back.framework.version})
    assert back == adopted.model_copy(update={"framework": wanted})
    assert back.framework.version.startswith("2027-03-01-")
    assert back.digest != adopted.digest


def test_every_part_of_the_parameters_has_its_file(tmp_path: Path) -> None:
    shipped = {p.name for p in DEFAULT.glob("*.yaml")} - {"privacy.yaml"}  # moves no figure; read on its own
    assert set(content(write(tmp_path / "pack"))) == shipped
    texts = [p.read_text(encoding="utf-8") for p in (tmp_path / "pack").iterdir()]
    assert all(t.startswith(f"# 本参数包由程序写出，依据 {ADOPTED.version}。\n") for t in texts)
    assert all("注释没有保留" in t for t in texts)


def test_a_part_that_is_not_held_is_not_written(tmp_path: Path) -> None:
    needed = {"framework", "classification", "rules", "region"}
    bare = ADOPTED.model_copy(update=dict.fromkeys(set(ParameterSet.model_fields) - needed))
    back = load_parameters(write(tmp_path / "pack", bare))
    assert (back.gates, back.uncertainty) == (None, None)
    assert set(content(tmp_path / "pack")) == {"framework.yaml", "classification.yaml"}


def test_certain_weights_are_not_taken_for_a_default(tmp_path: Path) -> None:
    assert ADOPTED.uncertainty is not None
    certain = ADOPTED.uncertainty.model_copy(update={"weight_concentration": None})
    back = load_parameters(write(tmp_path / "pack", ADOPTED.model_copy(update={"uncertainty": certain})))
    assert back.assumptions.weight_concentration is None


def test_cut_offs_are_dated_like_the_framework(tmp_path: Path) -> None:
    cuts = ADOPTED.classification.model_copy(update={"green_from": 85.0})
    back = load_parameters(write(tmp_path / "pack", classification=cuts)).classification
    assert (back.green_from, back.author, back.effective_from) == (85.0, "换届办", DAY)
    assert back.version.startswith("2027-03-01-")
    same = load_parameters(write(tmp_path / "other")).classification
    assert same == ADOPTED.classification


def test_equal_arguments_give_equal_bytes_and_others_another_version(tmp_path: Path) -> None:
    first = content(write(tmp_path / "a"))
    assert content(write(tmp_path / "b")) == first
    version = load_parameters(tmp_path / "a").framework.version
    others: list[dict[str, Any]] = [
        {"reason": "第四次会议决定"},
        {"framework": ADOPTED.framework},
        {"author": "某县换届办"},
    ]
    versions = {
        load_parameters(write(tmp_path / f"c{n}", **change)).framework.version
        for n, change in enumerate(others)
    }
    assert len(versions | {version}) == 4


def test_a_pack_written_from_a_pack_keeps_its_own_rules(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(DEFAULT, own)
    (own / "rules").mkdir()
    rules = yaml.safe_load((DEFAULT.parent / "rules" / "zhejiang.yaml").read_text(encoding="utf-8"))
    rules.update(region="somewhere", id="somewhere")
    text = yaml.safe_dump(rules, allow_unicode=True)
    (own / "rules" / "somewhere.yaml").write_text(text, encoding="utf-8")
    adopted = load_parameters(own, region="somewhere")
    back = load_parameters(write(tmp_path / "pack", adopted), region="somewhere")
    assert back.rules == adopted.rules
    assert (tmp_path / "pack" / "rules" / "somewhere.yaml").exists()
    assert load_parameters(tmp_path / "pack", region="zhejiang").region == "zhejiang"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"author": " "}, "作者：发现“空”"),
        ({"reason": "\n"}, "理由：发现“空”"),
        ({"author": "", "reason": ""}, "共 2 处问题"),
    ],
)
def test_nobody_and_no_reason_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write(tmp_path / "pack", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_and_a_file_in_the_way_are_spared(tmp_path: Path) -> None:
    folder = write(tmp_path / "pack")
    before = content(folder)
    with pytest.raises(UsageError, match="还没有的文件夹"):
        write(folder, reason="别的理由")
    assert content(folder) == before
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="文件夹，不能是文件"):
        write(tmp_path / "file" / "pack")


def lopsided(framework: Framework) -> Framework:
    first, *rest = framework.dimensions
    heavy = first.model_copy(update={"weight": first.weight + 0.1})
    return framework.model_copy(update={"dimensions": (heavy, *rest)})


def test_weights_that_do_not_sum_to_one_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"各维度权重合计：发现“1\.1”；应为：合计为 1"):
        write(tmp_path / "pack", framework=lopsided(ADOPTED.framework))
    assert list(tmp_path.iterdir()) == []


def test_a_crash_on_the_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    whole: Callable[[Any], str] = packs._yaml

    def crash(part: Any) -> str:
        calls.append(part)
        if len(calls) == 3:
            raise OSError("disk full")
        return whole(part)

    monkeypatch.setattr(packs, "_yaml", crash)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "pack")
    assert list(tmp_path.iterdir()) == []


def test_somebody_who_was_faster_is_spared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Callable[[Any], str] = packs._yaml

    def meanwhile(part: Any) -> str:
        (tmp_path / "pack").mkdir(exist_ok=True)
        (tmp_path / "pack" / "theirs.yaml").write_text("x", encoding="utf-8")
        return whole(part)

    monkeypatch.setattr(packs, "_yaml", meanwhile)
    with pytest.raises(UsageError, match="还没有的文件夹"):
        write(tmp_path / "pack")
    assert set(content(tmp_path)) == {"pack/theirs.yaml"}


def test_numbers_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    dimensions = tuple(
        d.model_copy(update={"weight": np.float64(d.weight)}) for d in ADOPTED.framework.dimensions
    )
    back = load_parameters(
        write(tmp_path / "pack", framework=ADOPTED.framework.model_copy(update={"dimensions": dimensions}))
    )
    assert [d.weight for d in back.framework.dimensions] == [d.weight for d in ADOPTED.framework.dimensions]
