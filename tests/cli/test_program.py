"""What every command shares: wrong calls, help, defects and their exit codes."""

from pathlib import Path

import pytest

from huanjie_lib import __version__
from huanjie_lib.cli import cli, main
from huanjie_lib.errors import HuanjieError
from tests.cli.calls import Capture, run_city, told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--data", "x", "--out", "y"], 2, "缺少参数 --as-of"),
        (["run", "--data", "x", "--as-of", "31.10.2026", "--out", "y"], 2, "日期写法不对"),
        (["run", "--data", "nowhere", "--as-of", "2026-10-31", "--out", "y"], 2, "nowhere"),
        (["check", "--data", "nowhere"], 2, "nowhere"),
        (["serve", "--run", "nowhere"], 3, "先运行 huanjie run"),
        (["serve", "--run", "x", "--app", "board"], 2, "应为：overview、what_if、casework、talent"),
        (["serve"], 2, "补充 --run"),
        (["serve", "--app", "talent"], 2, "--talent：发现“没有给出”"),
        (["ledgers", "--run", "x", "--out", "y", "--restricted"], 2, "--store：发现“没有给出”"),
        (["serve", "--app", "talent", "--talent", "t", "--account", "li"], 2, "补充 --role"),
        (["serve", "--run", "x", "--key", "k"], 2, "--key：发现“没有 --talent”"),
        (["serve", "--run", "x", "--account", "chen"], 2, "没有指定案件台账"),
        (["serve", "--run", "x", "--app", "casework", "--store", "s"], 2, "补充 --role"),
        (["serve", "--run", "x", "--role", "system"], 2, "应为：city、county、township"),
        (["check"], 2, "检查数据用 --data，检查台账用 --ledger，检查备份用 --backup"),
        (["check", "--data", "x", "--ledger", "y", "--backup", "z"], 2, "三个都给出"),
        (["check", "--backup", "nowhere"], 2, "没有这个文件"),
        (["backup", "--store", "nowhere", "--out", "a.zip"], 6, "huanjie store init"),
        (["restore", "--from", "nowhere", "--store", "new"], 2, "没有这个文件"),
        (["restore", "--from", "nowhere", "--store", "postgresql://db/x"], 2, "补充 --evidence"),
        (["store", "copy", "--from", "nowhere", "--to", "new"], 6, "huanjie store init"),
        (
            ["register", "rotate", "--data", "x", "--key", "k", "--new-key", "n", "--out", "x/y"],
            2,
            "结果不能写在数据文件夹里",
        ),
        (
            ["register", "rotate", "--data", "x", "--key", "k", "--new-key", "x/n", "--out", "y"],
            2,
            "密钥不能放在数据里",
        ),
        (["check", "--data", "x", "--ledger", "y"], 2, "两个都给出"),
        (["check", "--ledger", "nowhere"], 6, "huanjie store init"),
        (
            ["run", "--data", "x", "--as-of", "2026-10-31", "--out", "y", "--store", "s"],
            6,
            "huanjie store init",
        ),
        (["publish", "--run", "nowhere", "--store", "s", "--account", "chen"], 3, "先运行 huanjie run"),
        (["publish", "--run", "x", "--store", "s", "--account", " "], 2, "补充 --account"),
        (["store", "upgrade", "--store", "nowhere"], 6, "huanjie store init"),
        (["store", "head", "--store", "nowhere", "--out", "y"], 6, "huanjie store init"),
        (["store", "init", "--store", "mysql://db/x"], 2, "改正 --store"),
        (["export", "--run", "nowhere", "--out", "y"], 3, "先运行 huanjie run"),
        (["run", "--data", "x", "--as-of", "2026-10-31", "--out", "x/y"], 2, "结果不能写在数据文件夹里"),
        (["run", "--colour", "red"], 2, "没有参数 --colour"),
        (["dance"], 2, "dance"),
        (["init", "--out", "z", "--units", "many"], 2, "--units"),
        (["init", "--out", "z", "--units", "5"], 2, "应为：60 到 20000 之间的整数"),
        (["run", "--out"], 2, "参数 --out 后面缺少值"),
    ],
)
def test_wrong_calls(
    arguments: list[str],
    code: int,
    message: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    assert message in told(capsys)
    assert list(tmp_path.iterdir()) == []


def test_help_and_version(capsys: Capture) -> None:
    assert main([]) == 0
    assert "serve" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_a_defect_is_shown_by_number_and_kept_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("hidden")

    monkeypatch.setattr(cli, "main", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["run"]) == 70
    text = told(capsys)
    assert "编号" in text
    assert "hidden" not in text
    assert "ZeroDivisionError: hidden" in next(tmp_path.glob("huanjie-error-*.log")).read_text(
        encoding="utf-8"
    )


def test_every_kind_of_error_has_a_non_zero_exit_code() -> None:
    assert all(kind.exit_code > 0 for kind in HuanjieError.__subclasses__())


def test_a_place_that_cannot_be_written_is_no_defect(
    small_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "index.parquet")

    monkeypatch.setattr("huanjie_lib.workbench.assessment.write_run", refused)
    assert run_city(small_city, tmp_path / "out") == 2
    text = told(capsys)
    assert "index.parquet" in text
    assert "检查权限" in text
