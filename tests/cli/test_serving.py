import socket
from pathlib import Path

import pytest

from tests.cli.calls import Capture, run, told


def test_a_port_in_use_is_told_with_another_to_try(small_city_run: Path, capsys: Capture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run("serve", "--run", small_city_run, "--port", str(port)) == 2
    text = told(capsys)
    assert str(port) in text
    assert "--port" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--app", "casework"), "补充 --store、--account、--office、--role"),
        (("--app", "overview", "--store", "s", "--role", "city"), "加上 --app casework"),
        (("--app", "casework", "--store", "s", "--role", "city"), "--account：发现“空”"),
        (("--app", "casework", "--store", "s", "--role", "city", "--scope", "99x"), "--scope：发现“99x”"),
        (
            (
                "--app",
                "casework",
                "--store",
                "postgresql://db/x",
                "--role",
                "city",
                "--account",
                "a",
                "--office",
                "b",
            ),
            "请数据库管理员建一个只读账号",
        ),
    ],
)
def test_a_desk_that_does_not_fit_is_refused(
    small_city_run: Path, capsys: Capture, options: tuple[str, ...], message: str
) -> None:
    capsys.readouterr()
    assert run("serve", "--run", small_city_run, *options) == 2
    assert message in told(capsys)


def test_a_screen_over_a_ledger_that_is_not_there_says_how_to_make_one(
    small_city_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    who = ("--account", "chen", "--office", "市换届办", "--role", "city", "--port", "18866")
    assert run("serve", "--run", small_city_run, "--app", "casework", "--store", tmp_path / "none", *who) == 6
    assert "huanjie store init" in told(capsys)
