from __future__ import annotations

import pytest

from huanjie_lib.access.hiding import holds_number, without_names


@pytest.mark.parametrize(
    "text", ["身份证99010119900307233X", "990101199003072336", "请打13900000000", "A 13900000000"]
)
def test_numbers_of_people_are_found_in_any_text(text: str) -> None:
    assert holds_number(text)


@pytest.mark.parametrize(
    "text", ["", "2026年11月2日第3次", "990101101201", "A13900000000B", "990101199013072336"]
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert not holds_number(text)


def test_known_names_are_hidden_wherever_they_stand() -> None:
    names = ["李四", "李四光", "艾力·买买提", "王"]
    assert without_names("李四光、李　四和艾力·买买提，王乡长", names) == (
        "（姓名已隐藏）、（姓名已隐藏）和（姓名已隐藏），王乡长"
    )
    assert without_names("核对.*", [".*", "x"]) == "核对（姓名已隐藏）"
