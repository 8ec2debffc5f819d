import sqlite3
from pathlib import Path

import pytest

from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import read_ledgers
from huanjie_lib.vocabulary import CaseEvent
from tests.cli.calls import Capture, run, run_city, told
from tests.full_ledger import DAYS, fill
from tests.offices import life


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A ledger made as an office makes it."""
    assert run("store", "init", "--store", tmp_path / "store") == 0
    return tmp_path / "store"


def publish(folder: Path, store: Path) -> int:
    return run("publish", "--run", folder, "--store", store, "--account", "chen")


def test_a_run_is_published_once_and_the_ledger_checked(
    small_city: Path, store: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run_city(small_city, tmp_path / "run", "--store", store) == 0
    assert "计入案件台账第 0 个事件为止的整改：更正 0 处事实" in capsys.readouterr().out
    alerts = read_ledgers(tmp_path / "run", restricted=True)["alerts"]
    assert publish(tmp_path / "run", store) == 0
    assert capsys.readouterr().out == f"新立案 {len(alerts)} 件，重新打开 0 件，原已立案未销号 0 件\n"
    assert publish(tmp_path / "run", store) == 0
    assert "这次评估已发布过，台账没有变化" in capsys.readouterr().out
    assert run_city(small_city, tmp_path / "again", "--store", store) == 0
    assert publish(tmp_path / "again", store) == 0, "the same alerts in another run"
    assert f"新立案 0 件，重新打开 0 件，原已立案未销号 {len(alerts)} 件" in capsys.readouterr().out
    assert run("check", "--ledger", store) == 0
    assert f"{len(alerts)} 个事件、2 次发布" in capsys.readouterr().out


def test_a_head_kept_elsewhere_tells_that_events_were_cut_off(
    store: Path, tmp_path: Path, capsys: Capture
) -> None:
    with open_ledger(store) as ledger:
        for action in list(life())[:3]:
            if action.event is not CaseEvent.RECTIFY:
                ledger.append(action)
    assert run("store", "head", "--store", store, "--out", tmp_path / "heads") == 0
    (head,) = (tmp_path / "heads").glob("*.json")
    assert str(head) in capsys.readouterr().out
    assert run("check", "--ledger", store, "--head", head) == 0
    assert "与第 2 个事件的链头核对；问题 0 处" in capsys.readouterr().out
    file = sqlite3.connect(store / "ledger.sqlite3")
    triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        file.execute(f"DROP TRIGGER {name}")
    file.execute("DELETE FROM case_events WHERE sequence = 2")
    file.execute("UPDATE cases SET state = 'alert', version = 1, owner = '', due_on = NULL")
    for _, sql in triggers:
        file.execute(sql)
    file.commit()
    file.close()
    assert run("check", "--ledger", store) == 0, "without the head nothing is seen"
    capsys.readouterr()
    assert run("check", "--ledger", store, "--head", head) == 6
    out = capsys.readouterr().out
    assert "[事件 2] 事件 2：发现“没有这个事件”" in out
    assert "问题 1 处" in out
    assert run("check", "--ledger", store, "--head", store / "ledger.sqlite3") == 2
    assert "不能读取链头" in told(capsys)


def test_a_ledger_is_backed_up_checked_restored_and_moved(tmp_path: Path, capsys: Capture) -> None:
    store, file, new = tmp_path / "store", tmp_path / "a.zip", tmp_path / "new"
    with open_ledger(store, create=True) as ledger:
        head = fill(ledger, store / "heads")
    newest = store / "heads" / f"{DAYS[1]}.json"
    assert run("store", "upgrade", "--store", store) == 0  # nothing to do asks for no backup
    assert run("backup", "--store", store, "--out", file) == 0
    assert run("check", "--backup", file, "--head", newest) == 0
    assert run("restore", "--from", file, "--store", new, "--head", newest) == 0
    assert run("check", "--ledger", new) == 0
    told_so_far = capsys.readouterr().out
    assert told_so_far.count(head.hash) == 4
    assert "佐证材料 1 份，每日链头 2 份" in told_so_far
    assert run("store", "copy", "--from", new, "--to", tmp_path / "moved") == 0
    assert run("backup", "--store", store, "--out", file) == 2
    file.write_bytes(file.read_bytes()[:-9])
    assert run("check", "--backup", file) == 6
    assert "不完整，或不是备份文件" in told(capsys)
