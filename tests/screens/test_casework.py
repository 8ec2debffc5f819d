"""The closed loop without a browser: what the screen knows, shows and refuses, and its door."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import ipywidgets
import nbclient
import nbformat
import pandas as pd
import pytest
import sqlalchemy as sa
import traitlets

from huanjie_lib.access.grants import GRANTS
from huanjie_lib.access.roles import may_read
from huanjie_lib.casework.cases import CASE_COLUMNS
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import LedgerError, UsageError
from huanjie_lib.ledgers import LEDGER_TABLES
from huanjie_lib.screens import open_casework
from huanjie_lib.screens.board import OWN, PAGE
from huanjie_lib.screens.casework import TABS, CaseworkModel, CaseworkView, Moved, held
from huanjie_lib.screens.cuts import ACTOR_VARIABLE, RUN_VARIABLE, STORE_VARIABLE
from huanjie_lib.screens.serve import notebook_path
from huanjie_lib.store import schema
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.run_folder import Run, read_ledgers, read_run
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role
from tests.screens.conftest import CITY, HOSTILE_CODE, OPENED, RED, TOWN, Loop

HOSTILE = "<img src=x onerror=alert(1)>"
TODAY = dt.date(2026, 11, 26)
NONSENSE: tuple[Any, ...] = (
    float("nan"),
    1e300,
    -1,
    None,
    True,
    "",
    HOSTILE,
    "C2",
    [],
    ["x"],
    {},
    {"case": "C1"},
)
LEADER = {"table": "unit_plans", "key": {}, "set": {"leader": "镇长"}}


@pytest.fixture
def model(loop: Loop, small_run: Run, ledgers: dict[str, pd.DataFrame]) -> CaseworkModel:
    loop.dispatch(loop.open("C1", RED, cause=f"plan@{RED}"), due=14)
    loop.open("C2", "990102001201", CaseKind.DISPUTE, title="征地拆迁矛盾未化解")
    loop.open("C3", HOSTILE_CODE, CaseKind.GATE, title=HOSTILE)
    return CaseworkModel(small_run, loop.ledger, actor=CITY, today=TODAY, ledgers=ledgers)


@pytest.fixture
def town(model: CaseworkModel, loop: Loop, small_run: Run, ledgers: dict[str, pd.DataFrame]) -> CaseworkModel:
    """The same ledger as the office that answers for C1 sees it."""
    del model
    return CaseworkModel(small_run, loop.ledger, actor=TOWN, today=TODAY, ledgers=ledgers)


@pytest.fixture
def view(model: CaseworkModel) -> CaseworkView:
    return CaseworkView(model)


def child(view: CaseworkView, name: str) -> Any:
    """Return a widget of the screen by its class."""
    return next(w for w in widgets(view.widget) if f"hj-{name}" in getattr(w, "_dom_classes", ()))


def widgets(top: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield top
    for part in getattr(top, "children", ()):
        yield from widgets(part)


def press(view: CaseworkView, panel: str, action: str, value: str = "") -> None:
    content = {"data": {"method": "custom", "content": {"action": action, "value": value}}}
    child(view, panel)._handle_msg({"content": content, "buffers": []})


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


def saved(view: CaseworkView, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return the list that every file which the browser is told to ask for is put into."""
    files: list[tuple[str, Any]] = []
    monkeypatch.setattr(view._desk, "fetch", lambda name, _, content: files.append((name, content)))
    return files


def frames_within(top: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every frame that hangs on an object of this package, however deep, with the way to it."""
    seen: set[int] = set()
    waiting = [("", top)]
    while waiting:
        way, one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (pd.DataFrame, pd.Series)):
            yield way, one.to_frame() if isinstance(one, pd.Series) else one
        elif isinstance(one, Mapping):
            waiting += [(f"{way}[{key!r}]", part) for key, part in one.items()]
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting += [(f"{way}[]", part) for part in one]
        elif type(one).__module__.startswith("huanjie_lib"):
            parts = {**getattr(one, "__dict__", {}), **getattr(one, "_trait_values", {})}
            waiting += [(f"{way}.{name}", part) for name, part in parts.items()]


class TestModel:
    def test_state_goes_out_and_in_and_back_to_the_start(self, model: CaseworkModel) -> None:
        start = model.get_state()
        model.set_state(
            {"tab": "due", "township": "990101102", "kind": "plan", "overdue": True, "case": "C1"}
        )
        model.more("alert")
        state = model.get_state()
        model.reset()
        assert model.get_state() == start
        model.set_state(state)
        assert model.get_state() == state
        assert model.listed == {"alert": 2 * PAGE}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tab": "nothing"},
            {"township": "990102999"},
            {"kind": "person"},
            {"owner": "别的单位"},
            {"query": "村" * 61},
            {"case": "C9"},
            {"case": 1},
            {"overdue": "yes"},
            {"actor": None},
        ],
    )
    def test_what_does_not_fit_is_refused_whole(self, model: CaseworkModel, wrong: dict[str, Any]) -> None:
        before = model.get_state()
        with pytest.raises(traitlets.TraitError):
            model.set_state({"tab": "due", **wrong})
        assert model.get_state() == before

    def test_an_office_can_open_no_case_outside_its_scope(self, town: CaseworkModel) -> None:
        assert town.townships == {"990101102": "石桥镇"}
        for case_id in ("C2", "C3"):
            with pytest.raises(traitlets.TraitError):
                town.case = case_id
        town.case = "C1"
        assert town.file() is not None

    def test_a_case_that_leaves_the_scope_of_the_viewer_closes(self, town: CaseworkModel, loop: Loop) -> None:
        loop.dispatch(loop.open("C5", RED, CaseKind.SIGNAL))
        assert town.look()
        town.case = "C5"
        loop.act(
            "C5", CaseEvent.DISPATCH, CITY, {"owner": "市换届办", "due_on": "2026-12-01", "note": "收回"}
        )
        assert town.look()
        assert town.case == ""
        assert town.file() is None

    def test_it_looks_again_only_when_the_ledger_has_grown(self, model: CaseworkModel, loop: Loop) -> None:
        book = model.book
        assert not model.look()
        assert model.book is book
        loop.open("C4", RED)
        assert model.look()
        assert "C4" in model.book.ids

    def test_a_screen_left_open_goes_on_to_the_next_day(
        self, loop: Loop, small_run: Run, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        loop.dispatch(loop.open("C1", RED), due=14)
        days = iter([OPENED + dt.timedelta(days=n) for n in (14, 14, 17)])
        model = CaseworkModel(
            small_run, loop.ledger, actor=CITY, today=OPENED, ledgers=ledgers, clock=lambda: next(days)
        )
        assert not model.look()
        assert model.book.counts["overdue"] == 0
        assert model.look()
        assert model.book.counts["overdue"] == 1

    def test_filters_of_cases_do_not_work_on_the_ledgers(self, model: CaseworkModel) -> None:
        model.set_state({"kind": "plan", "owner": OWN, "overdue": True, "township": "990101102"})
        assert (model.choice.kind, model.choice.owner, model.choice.overdue) == ("plan", OWN, True)
        model.tab = "audit"
        assert (model.choice.kind, model.choice.owner, model.choice.overdue) == ("", "", False)
        assert model.choice.township == "990101102"

    def test_a_new_case_is_offered_the_office_and_the_working_days_of_the_pack(
        self, model: CaseworkModel
    ) -> None:
        model.case = "C3"
        file = model.file()
        assert file is not None
        dispatch = next(form for form in model.task(file)["forms"] if form["event"] == "dispatch")
        fields = {field["name"]: field for field in dispatch["fields"]}
        assert fields["owner"]["value"] == "云溪镇"
        assert fields["due_on"]["value"] == "2026-12-17"
        assert fields["due_on"]["hint"].startswith("从今天起15个工作日")

    def test_the_deadline_of_the_alert_goes_before_that_of_the_pack(
        self, model: CaseworkModel, loop: Loop, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        cause = loop.ledger.case("C3").cause
        ledgers["alerts"] = pd.DataFrame(
            {"cause": [cause], "owner": ["县纪委"], "due_on": pd.to_datetime(["2026-12-03"])}
        )
        model.case = "C3"
        file = model.file()
        assert file is not None
        fields = {field["name"]: field["value"] for field in model.task(file)["forms"][0]["fields"][:2]}
        assert fields == {"owner": "县纪委", "due_on": "2026-12-03"}

    def test_an_office_that_answers_for_a_signal_works_on_it_without_the_restricted_ledgers(
        self, town: CaseworkModel, loop: Loop
    ) -> None:
        loop.dispatch(loop.open("C5", RED, CaseKind.SIGNAL))
        town.look()
        town.case = "C5"
        file = town.file()
        assert file is not None
        assert "restricted_alerts" not in town.ledgers
        events = [form["event"] for form in town.task(file)["forms"] if not form["blockers"]]
        assert events == ["rectify"]

    def test_the_form_asks_for_the_rows_behind_the_case(self, town: CaseworkModel) -> None:
        town.case = "C1"
        file = town.file()
        assert file is not None
        task = town.task(file)
        rectify = next(form for form in task["forms"] if form["event"] == "rectify")
        assert [row["label"] for row in rectify["rows"]] == ["包干领导、稳控预案、化解方案"]
        assert json.loads(json.dumps(task)) == task


def moved(model: CaseworkModel, case_id: str = "C1") -> Moved | None:
    """Return what a case has moved, as the screen tells it now."""
    model.look()
    model.case = case_id
    file = model.file()
    assert file is not None
    return model.moved(file)


class TestMoved:
    def test_nothing_is_said_before_the_case_is_closed(self, model: CaseworkModel) -> None:
        assert moved(model) is None

    def test_a_closure_after_the_run_counts_in_the_next_one(self, model: CaseworkModel, loop: Loop) -> None:
        loop.close(loop.rectify("C1", amendments=[LEADER]))
        told = moved(model)
        assert told is not None
        assert told.sentences == ("已于2026年11月6日销号，更正的事实将在下一次评估中计入指数。",)

    def test_a_closure_without_a_fact_says_so(self, model: CaseworkModel, loop: Loop) -> None:
        loop.close(loop.rectify("C1"))
        told = moved(model)
        assert told is not None
        assert "没有登记更正的事实" in told.sentences[0]

    def test_what_the_run_has_counted_is_told_with_old_and_new(
        self, model: CaseworkModel, loop: Loop, small_run: Run, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        loop.close(loop.rectify("C1", amendments=[LEADER]))
        loop.publish("r0", [], as_of=dt.date(2026, 9, 30))
        indicator = small_run.parameters.framework.indicators[0]
        ledgers["amendments"] = pd.DataFrame(
            {
                "case_id": ["C1"],
                "table": ["unit_plans"],
                "column": ["leader"],
                "before": ["空"],
                "after": ["镇长"],
            }
        )
        ledgers["regained"] = pd.DataFrame(
            {"unit_code": [RED], "indicator": [indicator.id], "points_before": [4.0], "points_after": [1.5]}
        )
        ledgers["regained_units"] = pd.DataFrame(
            {
                "unit_code": [RED],
                "index_before": [55.0],
                "index_after": [61.0],
                "level_before": ["red"],
                "level_after": ["yellow"],
                "blocked_before": [3],
                "blocked_after": [2],
            }
        )
        told = moved(model)
        assert told is not None
        assert told.sentences[1] == f"与不计入相比：“{indicator.label}”由扣4.0分变为扣1.5分。"
        assert told.sentences[2] == "选情指数由55.0分升到61.0分，由红色变为黄色，未过的准入条件由3项减到2项。"
        assert told.facts == ({"label": "一村一策：包干领导", "before": "空", "after": "镇长"},)
        assert [row["as_of"] for row in told.history] == [dt.date(2026, 9, 30), OPENED]
        assert told.history[-1]["shown"]


class TestTogether:
    def test_what_waits_is_listed_as_it_is_filtered(self, view: CaseworkView) -> None:
        press(view, "work", "together")
        task = child(view, "desk").task
        assert json.loads(json.dumps(task)) == task
        assert [(case["case_id"], case["version"]) for case in task["together"]["cases"]] == [
            ("C3", 1),
            ("C2", 1),
        ]
        assert task["together"]["total"] == 2
        fields = {field["name"]: field["value"] for field in task["form"]["fields"][:2]}
        assert fields["owner"] == ""  # of two townships
        assert fields["due_on"] >= TODAY.isoformat()
        press(view, "filters", "township", "990102001")
        task = child(view, "desk").task
        assert [case["case_id"] for case in task["together"]["cases"]] == ["C2"]
        assert task["form"]["fields"][0]["value"] == "河东街道"
        press(view, "work", "case", "C1")
        assert (view.model.together, child(view, "desk").task["case"]) == (False, "C1")
        press(view, "work", "together")
        press(view, "case", "close")
        assert (view.model.together, view.model.case, child(view, "desk").task) == (False, "", {})

    def test_no_more_than_the_most_are_listed(
        self, view: CaseworkView, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huanjie_lib.screens.casework.MOST_AT_ONCE", 1)
        press(view, "work", "together")
        together = child(view, "desk").task["together"]
        assert (len(together["cases"]), together["total"]) == (1, 2)

    def test_who_may_not_dispatch_is_shown_nothing_to_dispatch(self, town: CaseworkModel) -> None:
        view = CaseworkView(town)
        assert "批量派单" not in child(view, "work").html
        press(view, "work", "together")
        assert child(view, "desk").task["together"]["cases"] == []


class TestLinks:
    def test_a_unit_is_looked_at_alone_and_a_link_to_anothers_is_told(
        self, view: CaseworkView, town: CaseworkModel
    ) -> None:
        view.linked.follow(f"unit={RED}&as_of=2026-10-31")
        assert set(view.model.book.chosen(view.model.choice)["case_id"]) == {"C1"}
        assert "只看 石桥村 一村一策" in words(child(view, "filters").html)
        press(view, "filters", "unit", "")
        assert len(view.model.book.chosen(view.model.choice)) == 3
        view.linked.follow("case=C1")
        assert (view.model.case, view.linked.fragment) == ("C1", "case=C1")
        other = CaseworkView(town)
        other.linked.follow("unit=990102001201&case=C2")
        assert (town.unit, town.case) == ("", "")
        told = words(other.linked.notice.html)
        assert "村（社区）“990102001201”" in told
        assert "案件“C2”" in told


class TestView:
    def test_the_board_shows_every_case_with_mark_place_owner_and_deadline(self, view: CaseworkView) -> None:
        shown = words(child(view, "work").html)
        assert "预 红色村缺化解方案 石桥村 石桥镇 石桥镇 逾期8个工作日" in shown
        assert "征地拆迁矛盾未化解 沙洲村 河东街道 尚未派单 10月31日预警" in shown
        for state in CaseState:
            assert state.label in shown
        assert "市换届办" in words(child(view, "head").html)

    def test_the_figures_are_those_of_the_board(self, view: CaseworkView) -> None:
        html = child(view, "tiles").html
        figures = dict(re.findall(r'data-figure="(\w+)">([^<]*)<', html))
        assert (figures["overdue"], figures["open"], figures["closed"]) == ("1", "3", "0")

    def test_how_long_cases_took_is_told_after_the_first_look_and_follows_the_ledger(
        self, view: CaseworkView, loop: Loop
    ) -> None:
        def told() -> tuple[str, str]:
            figures = dict(re.findall(r'data-figure="(\w+)">([^<]*)<', child(view, "tiles").html))
            return figures["median"], figures["reopened"]

        assert told() == ("…", "…")
        press(view, "desk", "look")
        assert told() == ("—", "—")
        loop.close(loop.rectify("C1"))
        press(view, "desk", "look")
        assert told() == ("5", "0.0%")
        loop.act("C1", CaseEvent.REOPEN, CITY, {"note": "反复", "due_on": "2026-12-01"}, day=8)
        press(view, "desk", "look")
        assert told() == ("—", "100.0%")
        fresh = CaseworkModel(
            view.model.run, loop.ledger, actor=CITY, today=TODAY, ledgers=view.model.ledgers
        )
        fresh.measure()
        assert fresh.figures() == view.model.figures()

    def test_a_press_opens_a_case_and_the_desk_is_told_what_may_be_done(self, view: CaseworkView) -> None:
        press(view, "work", "case", "C1")
        assert view.model.case == "C1"
        assert "hj-open" in child(view, "drawer")._dom_classes
        assert "责任单位 石桥镇" in words(child(view, "case").html)
        assert "派单 2026年11月1日" in words(child(view, "history").html)
        assert child(view, "desk").task["version"] == 2
        press(view, "desk", "close")
        assert "hj-open" not in child(view, "drawer")._dom_classes
        assert child(view, "desk").task == {}

    def test_what_another_office_does_is_seen_at_the_next_look(self, view: CaseworkView, loop: Loop) -> None:
        press(view, "work", "case", "C1")
        loop.rectify("C1")
        assert child(view, "desk").task["version"] == 2
        press(view, "desk", "look")
        assert child(view, "desk").task["version"] == 3
        assert "公示照片.jpg" in child(view, "history").html
        assert 'data-count="rectifying">1' in child(view, "work").html

    def test_a_ledger_that_is_away_is_told_until_it_is_back(
        self, view: CaseworkView, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(_: Ledger) -> None:
            raise LedgerError("连不上案件台账", [])

        press(view, "work", "case", "C1")
        drawn = child(view, "case").html
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "snapshot", away)
            for _ in range(2):
                press(view, "desk", "look")
                assert "连不上案件台账" in child(view, "case").html
                assert 'data-action="close"' in child(view, "case").html
            assert child(view, "desk").task["case"] == "C1", "what is being typed stays"
            press(view, "desk", "close")
            assert "hj-open" not in child(view, "drawer")._dom_classes
            press(view, "work", "case", "C1")
            assert "连不上案件台账" in child(view, "work").html
        press(view, "desk", "look")
        assert "hj-alert" not in child(view, "work").html
        assert child(view, "case").html == drawn

    @pytest.mark.parametrize("tab", [tab for tab in TABS if tab != "board"])
    def test_every_table_opens(self, view: CaseworkView, tab: str) -> None:
        press(view, "filters", "tab", tab)
        assert view.model.tab == tab
        assert "hj-alert" not in child(view, "work").html

    def test_a_hostile_name_is_text_everywhere(self, view: CaseworkView) -> None:
        press(view, "work", "case", "C3")
        for name in ("work", "case", "history", "filters", "tiles", "head"):
            assert "<img" not in child(view, name).html, name
        assert HOSTILE in words(child(view, "case").html)
        assert "<img" not in view.widget._repr_mimebundle_()["text/html"]
        assert child(view, "desk").task["case"] == "C3"

    def test_a_hostile_page_sees_and_moves_nothing_that_is_not_its_own(
        self, town: CaseworkModel, loop: Loop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        view = CaseworkView(town)
        files = saved(view, monkeypatch)
        before, head = town.get_state(), loop.ledger.head()
        panels = [w for w in widgets(view.widget) if hasattr(w, "on_action")]
        html = [panel.html for panel in panels]
        for panel in panels:
            for name in panel.trait_names(sync=True):
                for value in NONSENSE:
                    data = {"method": "update", "state": {name: value}, "buffer_paths": []}
                    panel._handle_msg({"content": {"data": data}, "buffers": []})
            for action in ("case", "plan", "township", "owner", "more", "nothing"):
                for value in ("C2", "C3", "C9", "../../etc/passwd", "0" * 64, "990102001201", HOSTILE):
                    content = {"data": {"method": "custom", "content": {"action": action, "value": value}}}
                    panel._handle_msg({"content": content, "buffers": []})
        assert town.get_state() == before
        assert [panel.html for panel in panels] == html
        assert loop.ledger.head() == head
        assert files == []

    def test_evidence_is_asked_of_the_server_by_case_and_digest(self, view: CaseworkView, loop: Loop) -> None:
        loop.rectify("C1")
        press(view, "desk", "look")
        press(view, "work", "case", "C1")
        (digest,) = loop.ledger.case("C1").evidence
        assert f'href="casework/evidence/C1/{digest}"' in child(view, "history").html

    def test_files_are_asked_of_the_server_which_logs_them(
        self, view: CaseworkView, small_run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = saved(view, monkeypatch)
        levels = small_run.index.set_index("unit_code")["level"]
        red, other = levels[levels == "red"].index[0], levels[levels != "red"].index[0]
        press(view, "filters", "export")
        press(view, "work", "plan", other)
        press(view, "work", "plan", red)
        assert files == [
            ("整改台账-20261031.xlsx", {"what": "ledgers", "unit_code": ""}),
            (f"一村一策-{red}.docx", {"what": "plan", "unit_code": red}),
        ]

    def test_a_defect_shows_a_number_and_the_screen_goes_on(
        self, view: CaseworkView, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CaseworkModel, "sheets", lambda _: 1 / 0)
        press(view, "filters", "tab", "due")
        assert "错误编号" in words(child(view, "work").html)
        monkeypatch.undo()
        press(view, "filters", "tab", "board")
        assert "石桥村" in words(child(view, "work").html)


@pytest.fixture
def published(
    loop: Loop,
    small_run: Run,
    ledgers: dict[str, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A run folder with ledgers but without those by person, and the environment that a server sets."""
    assert small_run.path is not None
    folder = tmp_path / "run"
    shutil.copytree(small_run.path, folder)
    (folder / "ledgers").mkdir(exist_ok=True)
    for name in LEDGER_TABLES:
        columns = {column: pd.Series(dtype="str") for column in GRANTS[f"ledgers/{name}"].columns}
        frame = ledgers.get(name, pd.DataFrame(columns))
        frame.to_parquet(folder / "ledgers" / f"{name}.parquet", index=False)
    loop.dispatch(loop.open("C1", RED))
    loop.open("C2", "990102001201")
    scope = {"account": "zhao", "office": "石桥镇", "role": "township", "scope": ["990101102"]}
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))
    monkeypatch.setenv(ACTOR_VARIABLE, json.dumps(scope))
    monkeypatch.setenv(RUN_VARIABLE, str(folder))
    return folder


class TestDoor:
    def test_the_notebook_shows_the_cases_of_the_account(self, published: Path) -> None:
        del published
        book = nbformat.read(notebook_path("casework"), as_version=4)
        assert all(not cell.get("outputs") for cell in book.cells)
        nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
        (shown,) = book.cells[-1].outputs
        assert "application/vnd.jupyter.widget-view+json" in shown["data"]
        html = shown["data"]["text/html"]
        assert "石桥村" in html
        assert "沙洲村" not in html

    @pytest.mark.parametrize("name", [STORE_VARIABLE, ACTOR_VARIABLE])
    def test_what_is_not_named_is_told_with_the_remedy(
        self, published: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, "")
        assert "huanjie serve --app casework" in words(open_casework(published).html)

    def test_a_kernel_holds_no_row_of_another_area(
        self, published: Path, small_run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[CaseworkModel] = []
        whole = CaseworkModel.__init__

        def noted(model: CaseworkModel, *arguments: Any, **named: Any) -> None:
            whole(model, *arguments, **named)
            built.append(model)

        monkeypatch.setattr(CaseworkModel, "__init__", noted)
        screen = open_casework(published)
        (model,) = built
        for tab in model.tabs:
            model.tab = tab
            model.measure()
            assert tab == "board" or model.sheets()
        others = {code for code in small_run.units["unit_code"] if not code.startswith("990101102")}
        held = list(frames_within(model))
        assert len(held) > 20
        for way, frame in held:
            texts = " ".join(map(str, [frame.index.tolist(), *frame.astype("object").to_numpy().tolist()]))
            assert not [code for code in others if code in texts], way
        states = json.dumps([w.get_state() for w in widgets(screen)], default=str, ensure_ascii=False)
        assert not [code for code in others if code in states]

    @pytest.mark.parametrize(
        ("role", "tabs"),
        [
            ("township", {"board", "due", "audit", "conflict", "effect"}),
            ("audit", {"board", "due", "audit", "effect"}),
            ("review", {"board", "due", "effect"}),
        ],
    )
    def test_a_kernel_holds_no_ledger_that_its_role_may_not_read(
        self, published: Path, loop: Loop, role: str, tabs: set[str]
    ) -> None:
        actor = Actor("sun", "某局", Role.lookup()[role])
        ledgers = read_ledgers(published)
        run, frames = held(read_run(published), ledgers, actor)
        model = CaseworkModel(run, loop.ledger, actor=actor, today=TODAY, ledgers=frames)
        assert set(model.tabs) == tabs
        for name, frame in frames.items():
            if not may_read(actor.role, f"ledgers/{name}"):
                assert frame.empty, name
                assert list(frame) == list(ledgers[name])
        for tab in TABS:
            if tab in tabs:
                model.tab = tab
                assert tab == "board" or model.sheets()
            else:
                with pytest.raises(traitlets.TraitError, match="no such tab"):
                    model.tab = tab
        assert ("矛盾台账" in child(CaseworkView(model), "filters").html) is ("conflict" in tabs)

    def test_a_role_that_may_see_more_needs_the_ledgers_by_person(
        self, published: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        city = {"account": "chen", "office": "市换届办", "role": "city", "scope": []}
        monkeypatch.setenv(ACTOR_VARIABLE, json.dumps(city))
        assert "缺少 restricted/talks.parquet" in words(open_casework(published).html)

    def test_a_ledger_that_is_not_there_is_told(
        self, published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "gone"))
        assert "hj-alert" in open_casework(published).html
        assert not (tmp_path / "gone").exists()

    def test_a_pack_without_rules_for_cases_is_refused(
        self, loop: Loop, small_run: Run, ledgers: dict[str, pd.DataFrame]
    ) -> None:
        bare = replace(small_run, parameters=small_run.parameters.model_copy(update={"casework": None}))
        with pytest.raises(UsageError, match="没有案件规则"):
            CaseworkModel(bare, loop.ledger, actor=CITY, today=TODAY, ledgers=ledgers)


def filled(folder: Path, run: Run, *, cases: int, events: int) -> None:
    """Fill a ledger fast, for reading alone: rows as the writer leaves them, without its checks."""
    open_ledger(folder, create=True).close()
    units = run.units.to_dict("records")
    states = [state.value for state in CaseState]
    case_rows, event_rows = [], []
    for number in range(cases):
        unit, state = units[number % len(units)], states[number % len(states)]
        told = {
            **{name: unit[name] for name in ("unit_code", "unit_name", "township_code", "township_name")},
            "kind": list(CaseKind)[number % len(CaseKind)].value,
            "title": "工程项目方面的审计问题",
            "cause": f"cause/{number}",
            "reason": "发现问题后超过期限没有整改完成，也没有提交整改证据。",
            "subject": "",
        }
        due = OPENED + dt.timedelta(days=number % 90)
        case_rows.append(
            {
                **told,
                "case_id": f"C{number}",
                "restricted": 0,
                "state": state,
                "owner": "" if state == "alert" else unit["township_name"],
                "version": events // cases,
                "opened_on": OPENED.isoformat(),
                "due_on": None if state == "alert" else due.isoformat(),
                "closed_on": due.isoformat() if state == "closed" else None,
                "evidence": "[]",
                "rectifiers": "[]",
                **dict.fromkeys(("reopened", "returned", "postponed"), number % 3),
            }
        )
        opening = json.dumps({**told, "restricted": False, "run": "r"}, ensure_ascii=False)
        for version in range(1, events // cases + 1):
            sequence = len(event_rows) + 1
            event_rows.append(
                {
                    "sequence": sequence,
                    "event_id": f"e{sequence}",
                    "case_id": f"C{number}",
                    "version": version,
                    "event": "open" if version == 1 else "close" if version == 10 else "rectify",
                    "actor": "zhao",
                    "office": "石桥镇",
                    "role": "township",
                    "happened_on": OPENED.isoformat(),
                    "recorded_at": "2026-11-09T03:04:05.000+00:00",
                    "payload": opening if version == 1 else '{"amendments":[],"evidence":[],"note":"已补办"}',
                    "previous_hash": f"{sequence - 1:064x}",
                    "hash": f"{sequence:064x}",
                }
            )
    assert set(case_rows[0]) == set(CASE_COLUMNS)
    engine = sa.create_engine(f"sqlite:///{next(folder.glob('*.sqlite3'))}")
    with engine.begin() as connection:
        for table, rows in ((schema.cases, case_rows), (schema.case_events, event_rows)):
            connection.execute(sa.insert(table), rows)
    engine.dispose()


def test_ten_thousand_cases_open_in_under_a_second(
    tmp_path: Path, small_run: Run, ledgers: dict[str, pd.DataFrame]
) -> None:
    filled(tmp_path / "store", small_run, cases=10_000, events=100_000)
    ledger = open_ledger(tmp_path / "store", read_only=True)
    spent = []
    for _ in range(3):
        start = time.process_time()  # the machine is shared; nothing here waits for anything else
        model = CaseworkModel(small_run, ledger, actor=CITY, today=TODAY, ledgers=ledgers)
        view = CaseworkView(model)
        spent.append(time.process_time() - start)
    assert min(spent) < 1.0
    assert model.book.counts["total"] == 10_000
    sent = len(child(view, "work").html.encode())
    assert sent < 400_000
    assert child(view, "work").html.count('data-action="case"') == 5 * PAGE
    start = time.process_time()
    press(view, "work", "case", "C7")
    assert time.process_time() - start < 1.0
    ledger.close()
