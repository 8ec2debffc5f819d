from pathlib import Path

import pandas as pd

from huanjie_lib.access.keys import KeyRing
from tests.cli.calls import SEED, Capture, acting, run, told


def test_a_name_is_shown_once_the_log_has_who_asks_and_why(
    small_city: Path, store: Path, key: Path, person: str, capsys: Capture
) -> None:
    held = pd.read_parquet(small_city / "tables" / "identities.parquet").set_index("person_ref")
    name = KeyRing.from_seed(SEED).unseal(held.loc[person, "name_sealed"], "name", person)
    where = ("access", "show", "--person", person, "--data", small_city, "--key", key)
    assert run(*where, "--reason", f"通知{name}谈话", *acting(store)) == 0
    assert name in capsys.readouterr().out
    assert run(*where, "--reason", "看", *acting(store)) != 0
    assert run(*where, "--reason", "考察谈话通知本人", *acting(store, "county")) != 0
    assert name not in told(capsys)
    assert run("access", "show", "--person", "P1", *where[4:], "--reason", "通知", *acting(store)) == 2
    capsys.readouterr()
    assert run("access", "log", "--store", store) == 0
    log = capsys.readouterr().out
    assert "查看原文" in log
    assert "通知（姓名已隐藏）谈话" in log
    assert "共1条" in log
    assert name not in log
    assert run("access", "log", "--store", store, "--of", "wang", "--since", "2026-01-01") == 0
    assert capsys.readouterr().out == "共0条\n"
