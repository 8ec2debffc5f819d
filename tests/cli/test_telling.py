import datetime as dt
import io
import sys

import pytest

from huanjie_lib.cli.telling import Progress, tell_dates
from huanjie_lib.parameters import load_parameters
from tests.cli.calls import Capture


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(io.StringIO(), False), (Terminal(), True)])
def test_steps_are_shown_on_a_terminal_only(
    stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress()
    for label in ("检查", "计算"):
        for step in (1, 2):
            progress(label, step, 2)
    progress.close()
    progress.close()
    assert [label in stream.getvalue() for label in ("检查: ", "计算: ")] == [shown] * 2


def test_a_pack_that_is_not_in_force_is_told_and_not_refused(capsys: Capture) -> None:
    parameters = load_parameters()
    tell_dates(parameters, dt.date(2026, 10, 31))
    assert capsys.readouterr() == ("", "")
    tell_dates(parameters, dt.date(2025, 12, 31))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("提醒：")
    assert "2026-01-01 起有效" in err
