"""The file that names where the screens are served, and the links made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.screens.site import SITE_VARIABLE, Site, entries_for, read_site, site_text
from huanjie_lib.vocabulary import Role

GOOD = """
format: huanjie-site/1
screens:
  - {screen: overview, address: "https://huanjie.example.gov.cn/", roles: [reader]}
  - {screen: overview, address: "https://desk.example.gov.cn", roles: [township, city]}
  - {screen: casework, address: "https://town.example.gov.cn:8443", roles: [township]}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_role_gets_the_addresses_that_are_for_it(tmp_path: Path) -> None:
    entries = read_site(written(tmp_path, GOOD))
    assert entries_for(entries, Role.READER) == {"overview": "https://huanjie.example.gov.cn"}
    assert entries_for(entries, Role.TOWNSHIP) == {
        "overview": "https://desk.example.gov.cn",
        "casework": "https://town.example.gov.cn:8443",
    }
    assert entries_for(entries, None) == {}


def test_what_is_written_for_one_analyst_is_for_everybody(tmp_path: Path) -> None:
    addresses = {"overview": "http://127.0.0.1:8866", "what_if": "http://127.0.0.1:8867"}
    assert entries_for(read_site(written(tmp_path, site_text(addresses))), None) == addresses


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{screen: league, address: "https://a.example"}', "league"),
        ('{screen: overview, address: "https://a.example/?token=abc"}', "token=abc"),
        ('{screen: overview, address: "https://me:word@a.example"}', "me:word@"),
        ('{screen: overview, address: "javascript:alert(1)"}', "javascript:"),
        ('{screen: overview, address: "https://a.example", roles: [chief]}', "chief"),
        ('{screen: overview, address: "https://a.example", colour: red}', "colour"),
        ("overview", "overview"),
    ],
)
def test_a_faulty_entry_is_refused_with_its_place(tmp_path: Path, row: str, told: str) -> None:
    with pytest.raises(DataError, match="第 1 个界面") as refused:
        read_site(written(tmp_path, f"format: huanjie-site/1\nscreens:\n  - {row}\n"))
    assert told in str(refused.value)


@pytest.mark.parametrize("text", ["[", "screens: []", "format: huanjie-site/2\nscreens: []", "just words"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="界面地址表不能使用"):
        read_site(written(tmp_path, text))
    with pytest.raises(DataError, match="不能读取"):
        read_site(tmp_path / "nowhere.yaml")


def test_two_addresses_of_a_screen_for_one_role_are_refused(tmp_path: Path) -> None:
    doubled = GOOD + '  - {screen: casework, address: "https://other.example.gov.cn"}\n'
    with pytest.raises(DataError, match=f"“{Role.TOWNSHIP.label}”有两个地址"):
        read_site(written(tmp_path, doubled))


def test_links_name_this_screen_and_the_others_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SITE_VARIABLE, '{"talent": "https://t.example", "overview": "https://o.example"}')
    links = Site.from_environment().links("what_if")
    assert [(link["label"], link["address"], link["here"]) for link in links] == [
        ("选情总览", "https://o.example/", False),
        ("权重试算", "", True),
        ("人才匹配", "https://t.example/", False),
    ]
    monkeypatch.delenv(SITE_VARIABLE)
    assert Site.from_environment().links("overview") == []
    assert Site({"overview": "https://o.example"}).links("overview") == []
