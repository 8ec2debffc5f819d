import datetime as dt

import click
import pytest

from huanjie_lib.cli.options import ROLES, Date, acting, handing_out
from huanjie_lib.errors import UsageError


def test_dates_are_taken_as_dates() -> None:
    assert Date().convert(dt.date(2026, 1, 2), None, None) == dt.date(2026, 1, 2)
    assert Date().convert("2026-01-02", None, None) == dt.date(2026, 1, 2)
    with pytest.raises(UsageError, match="日期写法不对"):
        Date().convert("2026/01/02", None, None)


def test_the_program_itself_is_no_role_that_a_person_may_take() -> None:
    assert "city" in ROLES
    assert "system" not in ROLES


def test_who_acts_must_be_told_and_who_hands_out_may_be() -> None:
    def required(decorate: object) -> set[str]:
        assert callable(decorate)
        command = click.command()(decorate(lambda **_: None))
        return {option.opts[0] for option in command.params if option.required}

    assert required(acting) == {"--account", "--role"}
    assert required(handing_out) == set()
