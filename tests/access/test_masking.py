from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.access.keys import KeyRing, SealError
from huanjie_lib.access.masking import (
    MASKED_ROLES,
    Logged,
    mask_id_number,
    mask_name,
    masked_names,
    opened_names,
    unmask,
)
from huanjie_lib.vocabulary import Role

KEYS = KeyRing.from_seed(3)
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


def test_a_name_is_opened_for_the_person_of_the_entry_alone(identities: pd.DataFrame) -> None:
    seen = unmask(identities, KEYS, Logged("PA", 7, "ab" * 32))
    assert (seen.name, seen.id_number) == ("张小三", NUMBER)
    assert (seen.logged.person_ref, seen.logged.number) == ("PA", 7)
    for secret in ("张小三", NUMBER):
        assert secret not in repr(seen)
    with pytest.raises(SealError) as caught:
        unmask(identities, KeyRing.from_seed(4), Logged("PA", 7, "ab" * 32))
    assert "张小三" not in str(caught.value)
    with pytest.raises(KeyError):
        unmask(identities, KEYS, Logged("PX", 8, "ab" * 32))


def test_all_names_are_opened_to_hide_them(identities: pd.DataFrame) -> None:
    assert opened_names(identities, KEYS).to_dict() == NAMES
    assert opened_names(identities.iloc[:0], KEYS).empty
