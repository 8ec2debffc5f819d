from __future__ import annotations

import dataclasses
import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.access.keys import KeyRing, SealError
from huanjie_lib.access.masking import MASKED_ROLES, mask_id_number, mask_name, masked_names, unmask
from huanjie_lib.errors import UsageError
from huanjie_lib.vocabulary import Role

KEYS = KeyRing.from_seed(3)
TODAY = dt.date(2026, 10, 31)
NAMES = {"PA": "张小三", "PB": "欧阳云", "PC": "李四"}
NUMBER = "990101199003072336"

chinese = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=8)


@pytest.fixture
def identities() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person_ref": list(NAMES),
            "name_sealed": [KEYS.seal(name, "name", ref) for ref, name in NAMES.items()],
            "id_sealed": [KEYS.seal(NUMBER, "id_number", ref) for ref in NAMES],
        }
    )


@given(chinese)
def test_a_masked_name_is_as_long_and_always_hides_something(name: str) -> None:
    masked = mask_name(name)
    assert len(masked) == len(name)
    assert all(m in {c, "*"} for m, c in zip(masked, name, strict=True))
    assert len(name) == 1 or "*" in masked
    assert masked.replace("*", "") != name or len(name) == 1


@given(st.text("0123456789X", max_size=20))
def test_a_masked_number_shows_at_most_eight_characters(number: str) -> None:
    masked = mask_id_number(number)
    assert len(masked) == len(number)
    assert len(masked.replace("*", "")) <= 8
    assert len(masked.replace("*", "")) == 0 or masked.count("*") >= 4


@pytest.mark.parametrize("role", [r for r in Role if r not in MASKED_ROLES])
def test_other_roles_see_pseudonyms_and_nothing_is_opened(identities: pd.DataFrame, role: Role) -> None:
    other_keys = KeyRing.from_seed(4)  # would raise if anything were opened
    shown = masked_names(identities, other_keys, role=role)
    assert shown.tolist() == list(NAMES)


@pytest.mark.parametrize("role", MASKED_ROLES)
def test_roles_of_the_organisation_see_masked_names(identities: pd.DataFrame, role: Role) -> None:
    shown = masked_names(identities, KEYS, role=role)
    assert shown.to_dict() == {"PA": "张*三", "PB": "欧阳*", "PC": "李*"}
    picked = masked_names(identities, KEYS, role=role, wanted=["PC", "PX"])
    assert picked.to_dict() == {"PC": "李*", "PX": "PX"}
    with pytest.raises(SealError):
        masked_names(identities, KeyRing.from_seed(4), role=role)


def test_an_unmasking_leaves_a_record_without_name_or_number(identities: pd.DataFrame) -> None:
    seen = unmask(
        identities,
        KEYS,
        "PA",
        account=" zzb-01 ",
        role=Role.TALENT,
        reason="通知本人参加考察 ",
        seen_on=TODAY,
    )
    assert (seen.name, seen.id_number) == ("张小三", NUMBER)
    record = dataclasses.asdict(seen.record)
    assert record == {
        "account": "zzb-01",
        "role": Role.TALENT,
        "person_ref": "PA",
        "reason": "通知本人参加考察",
        "seen_on": TODAY,
    }
    for secret in ("张小三", NUMBER):
        assert secret not in repr(seen)
        assert secret not in str(record)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"role": Role.COUNTY}, "角色"),
        ({"role": Role.READER}, "角色"),
        ({"reason": ""}, "事由"),
        ({"reason": "   核 "}, "事由"),
        ({"account": " "}, "账号"),
    ],
)
def test_no_name_without_role_reason_and_account(
    identities: pd.DataFrame, change: dict[str, object], where: str
) -> None:
    asked = {
        "account": "zzb-01",
        "role": Role.TALENT,
        "reason": "通知本人参加考察",
        "seen_on": TODAY,
        **change,
    }
    with pytest.raises(UsageError) as caught:
        unmask(identities, KEYS, "PA", **asked)  # type: ignore[arg-type]
    assert [fault.where for fault in caught.value.faults] == [where]
    assert "张小三" not in str(caught.value)


def test_someone_unknown_has_no_identity(identities: pd.DataFrame) -> None:
    with pytest.raises(KeyError):
        unmask(identities, KEYS, "PX", account="a", role=Role.TALENT, reason="通知本人参加", seen_on=TODAY)
