"""The talent screen without a browser: what it knows, shows and refuses, and its door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd
import pytest
import traitlets

from huanjie_lib.casework.events import Actor, canonical
from huanjie_lib.screens import open_talent
from huanjie_lib.screens.cuts import ACTOR_VARIABLE, NAMES_VARIABLE, STORE_VARIABLE, TALENT_VARIABLE
from huanjie_lib.screens.talent import NO_STORE, NOT_DECIDING, PAGE, TABS, TalentModel, TalentView
from huanjie_lib.screens.talent_names import Names, write_names
from huanjie_lib.store.decisions import Decision
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from huanjie_lib.vocabulary import DecisionChoice, PostKind, Role
from tests.talent_runs import (
    BRIDGE,
    CLOUD,
    HOSTILE,
    HOSTILE_NAME,
    KEYS,
    LI,
    NAMES,
    NUMBERS,
    OUYANG,
    ZHANG,
    ZHANG_TOO,
    ZHAO,
    talent_folder,
)

OFFICE = Actor("li", "市委组织部", Role.TALENT)
PLACE = f"{CLOUD}/director"
NONSENSE: tuple[Any, ...] = (
    float("nan"),
    1e300,
    None,
    True,
    "",
    HOSTILE_NAME,
    "P0",
    [],
    ["x"],
    {},
    {"person": LI},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talent folder with the names that the role sees beside it; not to be changed."""
    place = tmp_path_factory.mktemp("talent")
    KEYS.write(place / "key.json")
    run = talent_folder(place / "t")
    write_names(run, place / "key.json", place / "names.parquet", role=Role.TALENT)
    return place


@pytest.fixture
def run(folder: Path) -> TalentRun:
    from huanjie_lib.store.talent_folder import read_talent

    return read_talent(folder / "t")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "store", create=True) as ledger:
        yield ledger


@pytest.fixture
def model(run: TalentRun, folder: Path, ledger: Ledger) -> TalentModel:
    return TalentModel(run, actor=OFFICE, names=Names(folder / "names.parquet"), ledger=ledger)


@pytest.fixture
def view(model: TalentModel) -> TalentView:
    return TalentView(model)


def decide(ledger: Ledger, model: TalentModel, choice: DecisionChoice, **other: Any) -> None:
    told = {"reason": "" if choice is DecisionChoice.ACCEPT else "另有任用", "instead_ref": ""}
    seen = len(ledger.decisions(CLOUD, "director"))
    decision = Decision(
        decision_id=f"d{seen}",
        talent_run=model.digest,
        unit_code=CLOUD,
        post=PostKind.DIRECTOR,
        choice=choice,
        departs=choice is not DecisionChoice.ACCEPT,
        expected=seen,
        **{"person_ref": ZHANG, **told, **other},
    )
    ledger.decide(decision, OFFICE)


def widgets(top: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield top
    for part in getattr(top, "children", ()):
        yield from widgets(part)


def press(view: TalentView, action: Any, value: Any = "") -> None:
    content = {"data": {"method": "custom", "content": {"action": action, "value": value}}}
    view._work._handle_msg({"content": content, "buffers": []})


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


def everything(view: TalentView) -> str:
    """Return all HTML that the screen has sent."""
    return "".join(widget.html for widget in widgets(view.widget) if hasattr(widget, "html"))


class TestModel:
    def test_state_goes_out_and_in_and_back_to_the_start(self, model: TalentModel) -> None:
        start = model.get_state()
        model.set_state(
            {"tab": "teams", "township": "990101101", "lacking": True, "place": PLACE, "person": LI}
        )
        model.mark(ZHANG)
        state = model.get_state()
        model.reset()
        assert model.get_state() == start
        model.set_state(state)
        assert model.get_state() == state

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tab": "nothing"},
            {"township": "990102999"},
            {"kind": "mayor"},
            {"query": "村" * 61},
            {"place": f"{CLOUD}/secretary"},
            {"unit": "990101101999"},
            {"group": "G9"},
            {"person": "P0"},
            {"marked": (ZHANG, ZHANG)},
            {"marked": (ZHANG, LI, ZHAO)},
            {"marked": ("P0",)},
            {"most": 10**6},
            {"actor": None},
        ],
    )
    def test_what_does_not_fit_is_refused_whole(self, model: TalentModel, wrong: dict[str, Any]) -> None:
        before = model.get_state()
        with pytest.raises(traitlets.TraitError):
            model.set_state({"lacking": True, **wrong})
        assert model.get_state() == before

    def test_the_post_that_lacks_most_is_open_until_another_is_chosen(self, model: TalentModel) -> None:
        post = model.post()
        assert post is not None
        assert post["key"] == f"{BRIDGE}/secretary"
        assert model.candidates() == ()
        model.place = PLACE
        assert [c.person_ref for c in model.candidates()][:2] == [ZHANG, OUYANG]

    def test_filters_narrow_the_posts(self, model: TalentModel) -> None:
        model.set_state({"township": "990101101", "kind": "director"})
        assert model.chosen_posts()["unit_code"].tolist() == [HOSTILE, CLOUD]
        model.lacking = True
        assert model.chosen_posts()["unit_code"].tolist() == [HOSTILE]
        model.query = "上云"
        assert model.chosen_posts().empty
        assert model.post() is None

    def test_of_three_marked_the_first_gives_way(self, model: TalentModel) -> None:
        for ref in (ZHANG, LI, OUYANG):
            model.mark(ref)
        assert model.marked == (LI, OUYANG)
        model.mark(LI)
        assert model.marked == (OUYANG,)

    def test_an_office_sees_its_own_posts_and_who_is_listed_for_them(self, run: TalentRun) -> None:
        county = Actor("wang", "石桥镇", Role.TALENT, (BRIDGE[:9],))
        model = TalentModel(run, actor=county, names=Names(None))
        assert model.posts["unit_code"].tolist() == [BRIDGE]
        assert model.townships == {"990101102": "石桥镇"}
        model.person = ZHAO  # at home there
        for ref in (ZHANG, ZHANG_TOO):
            with pytest.raises(traitlets.TraitError):
                model.person = ref
        cloud = TalentModel(run, actor=Actor("w", "o", Role.TALENT, (CLOUD,)), names=Names(None))
        cloud.person = ZHANG_TOO  # at home elsewhere, listed for a post there
        assert [s.name for s in _tab(model, "reserve").sheets()] == ["quota", "structure"]
        assert len(_tab(model, "steps").sheets()[0].rows) == 0
        assert len(model.races()) == 0
        for group in ("G1", "G2"):
            with pytest.raises(traitlets.TraitError):
                model.group = group

    def test_an_office_sees_of_a_race_whom_it_may_see(self, run: TalentRun) -> None:
        hostile = TalentModel(run, actor=Actor("w", "o", Role.TALENT, (HOSTILE,)), names=Names(None))
        assert set(hostile.races()["group_ref"]) == {"G1", "G2"}
        seen = {ref for ref in (ZHANG, OUYANG, LI) if hostile.sees(ref)}
        shown = set()
        for group in ("G1", "G2"):
            hostile.group = group
            found = hostile.race()
            assert found is not None
            shown |= set(found[1]["person_ref"])
        assert shown == seen
        assert OUYANG in shown  # at home there

    def test_a_file_shows_what_a_portrait_rests_on(self, model: TalentModel, run: TalentRun) -> None:
        assert [item["rating"] for item in talent.evidence(run, ZHANG)] == ["82.0", "60.0"]
        model.set_state({"place": PLACE, "person": ZHANG})
        _, file = TalentView(model)._person_html(ZHANG)
        assert "年度考核〔2025〕" in file
        assert file.count("<tr><td>财务管理</td><td>年度考核") == 1

    def test_what_may_be_decided_is_told_with_what_has_been_seen(
        self, model: TalentModel, ledger: Ledger
    ) -> None:
        assert model.task() == {}
        model.set_state({"place": PLACE, "person": OUYANG})
        task = model.task()
        assert (task["unit_code"], task["post"], task["person"], task["expected"]) == (
            CLOUD,
            "director",
            OUYANG,
            0,
        )
        assert (task["may"], task["advised"], len(task["run"])) == (True, True, 64)
        assert [other["ref"] for other in task["others"]] == [ZHANG, LI, ZHANG_TOO]
        assert task["others"][0]["name"] == f"张*三　{ZHANG[-4:]}　第1名"
        decide(ledger, model, DecisionChoice.CHANGE, instead_ref=LI)
        assert model.look()
        assert not model.look()
        assert model.task()["expected"] == 1
        model.person = ZHAO
        assert not model.task()["advised"]

    def test_without_a_ledger_or_the_role_nothing_may_be_decided(
        self, run: TalentRun, ledger: Ledger
    ) -> None:
        for actor, store, told in (
            (OFFICE, None, NO_STORE),
            (Actor("z", "o", Role.READER), ledger, NOT_DECIDING),
        ):
            model = TalentModel(run, actor=actor, names=Names(None), ledger=store)
            model.set_state({"place": PLACE, "person": ZHANG})
            task = model.task()
            assert (task["may"], task["nothing"]) == (False, told)

    def test_whoever_stands_accepted_for_another_post_is_told_so(
        self, model: TalentModel, ledger: Ledger, run: TalentRun
    ) -> None:
        decide(ledger, model, DecisionChoice.CHANGE, instead_ref=LI)
        model.look()
        model.set_state({"place": PLACE, "person": LI})
        assert model.task()["held"] == []
        model.place = f"{CLOUD}/supervision"
        assert model.task()["held"] == ["上云村主任"]
        assert "已被采纳到上云村主任" in words_of_work(model)
        model.person = ZHANG
        assert (model.task()["held"], model.held(LI)) == ([], ["上云村主任"])
        told = {other["ref"]: other["held"] for other in model.task()["others"]}
        assert told[LI] == ["上云村主任"]
        assert not any(held for ref, held in told.items() if ref != LI)
        town = Actor("q", "石桥镇", Role.TOWNSHIP, ("990101102",))
        assert TalentModel(run, actor=town, names=Names(None), ledger=ledger).held(LI) == ["其他地方的主任"]


def words_of_work(model: TalentModel) -> str:
    return str(TalentView(model)._work.html)


def _tab(model: TalentModel, tab: str) -> TalentModel:
    model.tab = tab
    return model


class TestView:
    def test_every_tab_says_that_it_is_advice_and_shows_no_name_or_number(self, view: TalentView) -> None:
        press(view, "place", PLACE)
        for tab in TABS:
            press(view, "tab", tab)
            for ref in NAMES:
                press(view, "person", ref)
                assert "仅供决策参考，由组织决定" in words(view._person.html)
                press(view, "close")
            html = everything(view)
            assert "hj-alert" not in html
            assert "仅供决策参考，由组织决定" in words(view._head.html)
            for hidden in (*NAMES.values(), *NUMBERS):
                assert hidden not in html
            assert HOSTILE_NAME not in html

    def test_people_have_no_colour_of_risk(self, view: TalentView) -> None:
        press(view, "place", PLACE)
        for tab in TABS:
            press(view, "tab", tab)
            press(view, "person", LI)
            html = everything(view)
            assert not re.search(r"hj-level-|--hj-(red|yellow|green)|红色|黄色|绿色", html)

    def test_pseudonyms_stand_whole_only_where_a_press_needs_them(self, view: TalentView) -> None:
        press(view, "place", PLACE)
        press(view, "person", ZHANG)
        told = words(everything(view))
        assert not any(ref in told for ref in NAMES)
        assert ZHANG[-4:] in told

    def test_two_marked_people_stand_side_by_side_and_a_file_leads_back(self, view: TalentView) -> None:
        press(view, "place", PLACE)
        press(view, "mark", ZHANG)
        assert "再选 1 人即可对比" in words(view._work.html)
        press(view, "mark", LI)
        told = words(view._person.html)
        assert "张*三的适配分比李*高5.5分，按岗位权重折算：财务管理高3.0分；产业发展高2.5分。" in told
        assert "hj-broad" in view._drawer._dom_classes
        press(view, "person", LI)
        assert "返回对比" in words(view._person.html)
        assert "hj-broad" not in view._drawer._dom_classes
        press(view, "close")
        assert "两人对比" in words(view._person.html)
        press(view, "close")
        assert "hj-open" not in view._drawer._dom_classes

    def test_a_file_tells_portrait_verdicts_tasks_steps_and_trial(self, view: TalentView) -> None:
        press(view, "place", PLACE)
        press(view, "person", LI)
        told = words(view._file.html)
        assert "补充2026年产业发展的实绩材料" in told
        assert "适配分区间可收窄 6.0 分" in told
        rule = "处分期未满 党纪政务处分（村民委员会组织法，2026-01-01起施行）；核查于2026年5月8日"
        assert f"{rule}；至2027年3月1日止" in told
        assert "完成村级事务（180天）预计由第2名升至第1名" in told
        assert "线上明显高于线下" in told

    def test_decisions_are_told_the_last_first(
        self, view: TalentView, model: TalentModel, ledger: Ledger
    ) -> None:
        press(view, "place", PLACE)
        press(view, "person", ZHANG)
        decide(ledger, model, DecisionChoice.ACCEPT)
        decide(ledger, model, DecisionChoice.CHANGE, instead_ref=LI, reason=HOSTILE_NAME)
        assert view._desk.task["expected"] == 0
        press(view, "look")
        assert view._desk.task["expected"] == 2
        told = words(view._work.html)
        assert told.index("改选 张*三 ，改选 李*") < told.index("采纳 张*三")
        assert HOSTILE_NAME not in view._work.html

    def test_the_first_row_and_the_cut_of_the_people_wanted(self, view: TalentView) -> None:
        press(view, "place", PLACE)
        told = words(view._work.html)
        assert "单看本岗位，前 2 名到此" in told
        assert f"全市统筹拟列 张*三 {ZHANG[-4:]} 64.0 分 第 1 名" in told
        assert "产业发展 50% 财务管理 30% 原 18%" in told

    @pytest.mark.parametrize("value", NONSENSE)
    def test_nonsense_changes_nothing(self, view: TalentView, model: TalentModel, value: Any) -> None:
        press(view, "place", PLACE)
        before = model.get_state()
        for action in (
            "tab",
            "township",
            "kind",
            "place",
            "unit",
            "group",
            "person",
            "mark",
            "only",
            "nothing",
            value,
        ):
            if value != "" or action in ("tab", "only", "nothing", "mark"):
                press(view, action, value)
        assert model.get_state() == before
        assert "hj-alert" not in everything(view)

    def test_the_proof_says_what_was_checked_and_no_more(self, view: TalentView) -> None:
        assert "通过 另有 1 项请查明" in words(view._tiles.html)
        press(view, "tab", "proof")
        told = words(view._work.html)
        assert "把性别逐列对调、打乱、删除后重算" in told
        assert "性别 结果不变 结果不变 结果不变" in told
        assert "民族逐列" not in told

    def test_more_posts_are_listed_up_to_a_limit(self, view: TalentView, model: TalentModel) -> None:
        press(view, "more")
        assert model.most == 2 * PAGE
        for _ in range(100):
            press(view, "more")
        assert model.most == 3000

    def test_the_server_makes_the_files(self, view: TalentView, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[dict[str, Any]] = []
        monkeypatch.setattr(view._desk, "send", sent.append)
        press(view, "plan")
        press(view, "roster")
        assert [(one["file"], one["name"]) for one in sent] == [
            ("plan", "培养计划-20261031.xlsx"),
            ("roster", "建议名册-20261031.xlsx"),
        ]

    def test_figures_of_an_account_with_an_area_are_those_of_the_area(self, run: TalentRun) -> None:
        model = TalentModel(run, actor=Actor("w", "o", Role.TALENT, (CLOUD,)), names=Names(None))
        whole = TalentModel(run, actor=OFFICE, names=Names(None)).figures
        people = run.table("people")
        mine = people[people["unit_code"].fillna("").str.startswith(CLOUD)]
        assert 0 < len(mine) < len(people)
        assert model.figures["people"] == len(mine)
        assert model.figures["units"] == run.table("quota")["unit_code"].str.startswith(CLOUD).sum()
        assert model.figures["eligible"] <= len(mine)
        assert all(model.figures[name] <= whole[name] for name in whole)

    def test_only_who_sees_the_whole_city_gets_its_roster(self, run: TalentRun) -> None:
        model = TalentModel(run, actor=Actor("w", "o", Role.TALENT, (CLOUD,)), names=Names(None))
        assert "导出建议名册" not in words(TalentView(model)._filters.html)

    def test_the_desk_takes_nothing_from_the_page(self, view: TalentView) -> None:
        view._desk.set_state({"task": {"may": True}, "html": "<b>"})
        assert view._desk.task == {}
        assert view._desk.html == ""


class TestDoor:
    @pytest.fixture
    def environment(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        who = {"account": "li", "office": "市委组织部", "role": "talent", "scope": []}
        monkeypatch.setenv(ACTOR_VARIABLE, canonical(who))
        monkeypatch.setenv(TALENT_VARIABLE, str(folder / "t"))
        monkeypatch.setenv(NAMES_VARIABLE, str(folder / "names.parquet"))
        monkeypatch.delenv(STORE_VARIABLE, raising=False)

    @pytest.mark.usefixtures("environment")
    def test_it_opens_what_the_environment_names(self) -> None:
        screen = open_talent()
        assert "hj-talent" in screen._dom_classes
        assert "没有符合这个岗位全部条件的人" in words(str(screen.preview))

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize(
        ("name", "value", "told"),
        [
            (TALENT_VARIABLE, "", "没有指定人才文件夹"),
            (ACTOR_VARIABLE, "", "没有指定登录账号"),
            (TALENT_VARIABLE, "nowhere", "不是一个人才文件夹"),
            (STORE_VARIABLE, "nowhere", "处理办法"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_remedy(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, told: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(name, value)
        screen = open_talent()
        assert told in words(screen.html)
        assert "处理办法" in words(screen.html)


def test_decisions_on_people_with_newer_pseudonyms_are_told_under_those(
    run: TalentRun, ledger: Ledger, model: TalentModel, tmp_path: Path
) -> None:
    earlier = KEYS.pseudonym("person", "1")
    rows = {"person_ref": [ZHANG, earlier], "name": ["张*三"] * 2, "current": [ZHANG] * 2}
    pd.DataFrame(rows).to_parquet(tmp_path / "names.parquet")
    decide(ledger, model, DecisionChoice.ACCEPT, person_ref=earlier)
    later = TalentModel(run, actor=OFFICE, names=Names(tmp_path / "names.parquet"), ledger=ledger)
    later.place = f"{CLOUD}/director"
    (made,) = later.decisions()
    assert (made["person_ref"], made["name"]) == (ZHANG, "张*三")
