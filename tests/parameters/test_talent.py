from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.vocabulary import PostKind, UnitKind
from tests.parameters.packs import Edit, refusal


def talent(part: str, where: int | None = None, **changes: Any) -> dict[str, Edit]:
    """An edit of the talent pack: of one entry of a list, or of a mapping."""

    def edit(data: dict[str, Any]) -> None:
        entry = data[part] if where is None else data[part][where]
        entry.update(changes)

    return {"talent": edit}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (talent("evidence", 0, share=0.6), "evidence[finance].share"),
        (talent("evidence", 1, kind="appraisal"), "evidence[finance]：发现“appraisal 写了两次”"),
        (talent("evidence", 0, aspect="trial"), "evidence[trial]：发现“trial”；应为：其他画像要素"),
        (talent("evidence", 0, aspect="wealth"), "evidence[0].aspect：发现“wealth”"),
        (talent("evidence", 0, half_life_years=0), "evidence[0].half_life_years：发现“0”"),
        (talent("trial", prior_sd=0), "trial.prior_sd：发现“0”；应为：大于 0 的数"),
        (talent("profiles", 0, weights={"law": 0.9}), "profiles[secretary_village].weights"),
        (talent("profiles", 0, weights={"age": 1.0}), "profiles[0].weights.age"),
        (talent("profiles", 0, unit_kind="社区"), "profiles：发现“没有村党组织书记的画像”"),
        (talent("profiles", 1, id="secretary_village"), "profiles[secretary_village]：发现“写了两次”"),
        (talent("needs", 0, dimension="rumour"), "needs[rumour]：发现“rumour”；应为：finance_audit"),
        (talent("targets", 1, age=None), "targets[young].age：发现“没有写明”；应为：年龄上限"),
        (talent("targets", 0, age=35), "targets[women].age：发现“35”；应为：不填"),
    ],
)
def test_a_bad_talent_pack_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


def test_the_talent_pack_is_optional_and_every_post_has_a_profile(pack: Callable[..., Path]) -> None:
    shipped = load_parameters().talent
    assert shipped is not None
    assert shipped.profile(PostKind.SECRETARY, UnitKind.COMMUNITY).id == "secretary_community"
    assert shipped.profile(PostKind.MEMBER, UnitKind.VILLAGE).id == "member"
    folder = pack()
    (folder / "talent.yaml").unlink()
    assert load_parameters(folder).talent is None
    with pytest.raises(KeyError):
        shipped.model_copy(update={"profiles": ()}).profile(PostKind.MEMBER, UnitKind.VILLAGE)
