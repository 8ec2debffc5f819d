"""The closed loop, driven in Chromium over the servers and the writer that ``huanjie serve`` starts.

One audit problem goes the whole way: the city dispatches it, the owner's office puts it right with a file,
the city reviews and closes it, the next run is made, and the screen says by how much the index moved and why.
It does so on a ledger in a folder, and on a PostgreSQL server with the accounts of ``docs/postgresql.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from huanjie_lib.casework.cases import Case
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import read_run
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role
from tests.browser.axe import grave_findings
from tests.browser.conftest import free_port
from tests.browser.serving import huanjie, servers
from tests.browser.waiting import LOOKED_AT_NO_MORE, Talk
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AS_OF = "2026-10-31"
CITY = ("chen", "市换届办", "city")
INDICATOR = "audit_problems_open"
SEEN_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"
"""Has the page look at the ledger now, as when its tab comes to the front."""
SEEN_OFTEN = f"window.looking = setInterval(() => {SEEN_AGAIN}, 500)"
SEEN_ENOUGH = "clearInterval(window.looking)"
SIZES = [(1366, 768), (1920, 1080)]
Watch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class City:
    """A published run over a ledger, and the audit problem that the test puts right."""

    data: Path
    run: Path
    store: str | Path
    reader: str | Path
    evidence: Path
    case_id: str
    unit_code: str
    unit_name: str
    owner: str
    scope: str


@pytest.fixture(scope="module")
def city(small_city: Path, small_city_run: Path, tmp_path_factory: pytest.TempPathFactory) -> City:
    """A small city, assessed and published; its problem costs its unit points."""
    store = tmp_path_factory.mktemp("loop") / "store"
    huanjie("store", "init", "--store", store)
    return published(small_city, small_city_run, store, store, store / "evidence")


@pytest.fixture(scope="module")
def city_on_a_server(
    small_city: Path,
    small_city_run: Path,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[City]:
    """The same on PostgreSQL; only the reader's address, which kernels get, holds its password."""
    evidence = tmp_path_factory.mktemp("server") / "evidence"
    accounts = postgres_server.new_ledger()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PGPASSFILE", str(accounts.passwords))
        writer = re.sub(":[^:@]+@", "@", accounts.writer)
        yield published(small_city, small_city_run, writer, accounts.reader, evidence)


def published(data: Path, run: Path, store: str | Path, reader: str | Path, evidence: Path) -> City:
    """Publish a run and find the problem that costs its unit most."""
    huanjie("publish", "--run", run, "--store", store, "--account", "chen", "--evidence", evidence)
    ledger = open_ledger(reader, read_only=True)
    cases = ledger.cases(kinds=[CaseKind.PROBLEM], states=[CaseState.ALERT])
    ledger.close()
    points = read_run(run).indicators.query("indicator == @INDICATOR").set_index("unit_code")["points"]
    cost = cases["unit_code"].map(points)
    case = cases.loc[cost.idxmax()]
    assert cost.max() > 0.5
    return City(
        data,
        run,
        store,
        reader,
        evidence,
        case["case_id"],
        case["unit_code"],
        case["unit_name"],
        case["township_name"],
        case["township_code"],
    )


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Return a function that serves the screen to an account, once each, and returns its address."""
    with servers() as started:

        @cache
        def start(run: Path, city: City, account: str, office: str, role: str, scope: str = "") -> str:
            log = tmp_path_factory.mktemp("serve") / "serve.log"
            who = ("--account", account, "--office", office, "--role", role)
            where = ("--store", city.store, "--reader", city.reader, "--evidence", city.evidence)
            scoped = ("--scope", scope) if scope else ()
            screen = ("--app", "casework", "--run", run, "--port", free_port())
            return started.start(log, *screen, *where, *who, *scoped)

        yield start


@dataclass
class Board:
    """An open screen."""

    page: Page
    talk: Talk

    @property
    def drawer(self) -> Locator:
        return self.page.locator(".hj-drawer")

    def open(self, city: City) -> None:
        """Find the case by its unit's name and open it."""
        self.page.get_by_label("按村（社区）名称查找").fill(city.unit_name)
        others = self.page.locator(".hj-card", has_not_text=city.unit_name)
        expect(others).to_have_count(0)
        self.talk.end()
        self.page.locator(f'[data-key="case-{city.case_id}"]').first.click()
        expect(self.drawer.locator(".hj-case-head")).to_contain_text(city.case_id)

    def choose(self, label: str) -> Locator:
        """Choose what to do and return its form."""
        self.drawer.get_by_role("group", name="可以办理的事项").get_by_role(
            "button", name=label, exact=True
        ).click()
        form = self.drawer.locator("form")
        expect(form).to_have_attribute("aria-label", label)
        form.get_by_label("办理日期").fill(AS_OF)
        return form

    def confirm(self, form: Locator, label: str) -> None:
        """Press the button and wait until the page says that it is recorded."""
        form.get_by_role("button", name=f"确认{label}").click()
        expect(self.drawer.get_by_role("status")).to_have_text(f"{label}已登记。")

    def state(self) -> Locator:
        return self.drawer.locator(".hj-state")

    def index(self) -> str:
        return self.drawer.locator('[data-figure="index"]').inner_text()


@contextmanager
def opened(watch: Watch, url: str, *, told: str = "nothing") -> Iterator[Board]:
    """Open a served screen; it must have caused no error when it is left but those the browser is to tell."""
    with watch() as watched:
        watched.page.goto(url, timeout=120_000)
        expect(watched.page.locator(".hj-casework:not(.hj-preview) .hj-column").first).to_be_visible(
            timeout=120_000
        )
        yield Board(watched.page, watched.talk)
        assert watched.page_errors == []
        assert [error for error in watched.console_errors if told not in error] == []


@pytest.mark.parametrize("place", ["city", "city_on_a_server"])
def test_a_problem_put_right_moves_the_index_and_the_screen_says_why(
    request: pytest.FixtureRequest, watch: Watch, serve: Callable[..., str], place: str, tmp_path: Path
) -> None:
    city: City = request.getfixturevalue(place)
    photo = tmp_path / "整改照片.jpg"
    photo.write_bytes(b"\xff\xd8\xff" + b"photo" * 2000)
    before = read_run(city.run).index.set_index("unit_code").loc[city.unit_code, "index"]
    first = serve(city.run, city, *CITY)
    office = serve(city.run, city, "zhao", city.owner, "township", city.scope)

    with opened(watch, first) as board, opened(watch, office) as own:
        board.open(city)
        assert board.index() == number_text(before)
        form = board.choose("派单")
        expect(form.get_by_label("责任单位")).not_to_have_value("")
        form.get_by_label("责任单位").fill(city.owner)
        board.confirm(form, "派单")
        expect(board.state()).to_have_text(CaseState.DISPATCHED.label)
        expect(board.drawer).to_contain_text(f"登记整改：由责任单位{city.owner}办理")

        own.page.reload()
        expect(own.page.locator(".hj-casework:not(.hj-preview) .hj-column").first).to_be_visible(
            timeout=120_000
        )
        own.open(city)
        form = own.choose("登记整改")
        form.get_by_label("整改情况").fill("已收回垫付款，账目已公开")
        form.locator("input[type=file]").set_input_files(photo)
        expect(form.locator(".hj-evidence")).to_contain_text("整改照片.jpg")
        expect(form.locator(".hj-evidence")).to_contain_text("9.8 KB")
        form.get_by_label("整改完成").fill(AS_OF)
        own.confirm(form, "登记整改")
        expect(own.drawer.locator(".hj-timeline")).to_contain_text("整改完成改为2026年10月31日")
        own.confirm(own.choose("提交复核"), "提交复核")
        expect(own.state()).to_have_text(CaseState.REVIEWING.label)
        expect(own.drawer).to_contain_text("销号：不能复核本单位的整改，由其他单位复核。")

        # The city's page has not been touched: it looks again by itself.
        expect(board.state()).to_have_text(CaseState.REVIEWING.label)
        with board.page.expect_download() as download:
            board.drawer.get_by_role("link", name="整改照片.jpg").click()
        assert download.value.path().read_bytes() == photo.read_bytes()
        board.confirm(board.choose("销号"), "销号")
        expect(board.drawer.locator(".hj-moved")).to_contain_text("将在下一次评估中计入")

    after_run = tmp_path / "after"
    huanjie("run", "--data", city.data, "--as-of", AS_OF, "--out", after_run, "--store", city.reader)
    huanjie("publish", "--run", after_run, "--store", city.store, "--account", "chen")
    (head,) = (city.evidence.parent / "heads").glob("*.json")
    told = huanjie("check", "--ledger", city.store, "--head", head, "--evidence", city.evidence)
    assert "个事件的链头核对" in told
    assert told.endswith("问题 0 处\n")
    after = read_run(after_run).index.set_index("unit_code").loc[city.unit_code, "index"]
    assert after > before

    with opened(watch, serve(after_run, city, *CITY)) as board:
        board.open(city)
        assert board.index() == number_text(after) != number_text(before)
        moved = board.drawer.locator(".hj-moved")
        expect(moved).to_contain_text(f"选情指数由{number_text(before)}分升到{number_text(after)}分")
        expect(moved).to_contain_text("整改完成")
        expect(moved).to_contain_text("2026年10月31日")
        label = next(
            i.label for i in read_run(after_run).parameters.framework.indicators if i.id == INDICATOR
        )
        expect(moved).to_contain_text(label)
        board.page.screenshot(path=tmp_path / "moved.png")


def with_another_case(city: City) -> City:
    """Return the city with another case that waits to be dispatched."""
    with open_ledger(city.reader, read_only=True) as ledger:
        cases = ledger.cases(states=[CaseState.ALERT], kinds=[CaseKind.PROBLEM, CaseKind.GATE])
    case = cases[cases["case_id"] != city.case_id].iloc[0]
    told = {name: case[name] for name in ("case_id", "unit_code", "unit_name")}
    return replace(city, owner=case["township_name"], scope="", **told)


@pytest.fixture
def waiting(city: City) -> City:
    """The city with another case that waits to be dispatched."""
    return with_another_case(city)


def sent(page: Page) -> list[dict[str, Any]]:
    """Return the list that every action the page sends is put into."""
    actions: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/casework/append"):
            actions.append(json.loads(request.post_data or "{}"))

    page.on("request", note)
    return actions


def test_a_lost_race_is_told_and_takes_nothing_that_was_typed(
    watch: Watch, serve: Callable[..., str], waiting: City
) -> None:
    url = serve(waiting.run, waiting, *CITY)
    with opened(watch, url, told="409 (Conflict)") as board, opened(watch, url) as other:
        board.open(waiting)
        form = board.choose("派单")
        form.get_by_label("要求").fill("十日内办结")
        board.page.evaluate(LOOKED_AT_NO_MORE)
        other.open(waiting)
        other.confirm(other.choose("派单"), "派单")
        board.page.locator(".hj-drawer form button[type=submit]").click()
        expect(board.drawer.get_by_role("alert")).to_contain_text("别人刚刚更新了本案，请核对后再提交")
        expect(board.state()).to_have_text(CaseState.DISPATCHED.label)
        expect(board.drawer.locator("textarea")).to_have_value("十日内办结")


def test_a_request_that_is_lost_is_repeated_as_the_same_action(
    watch: Watch, serve: Callable[..., str], waiting: City
) -> None:
    """The server takes the action but its answers are lost; when the page asks again nothing is doubled."""
    with opened(watch, serve(waiting.run, waiting, *CITY), told="net::ERR_FAILED") as board:
        actions = sent(board.page)
        lost: list[int] = []

        def lose(route: Route) -> None:
            lost.append(route.fetch().status)
            route.abort()

        board.open(waiting)
        form = board.choose("撤销")
        form.get_by_label("撤销理由").fill("重复立案")
        board.page.route("**/casework/append", lose)
        form.get_by_role("button", name="确认撤销").click()
        retry = form.get_by_role("button", name="重试")
        expect(retry).to_be_enabled()
        expect(form.get_by_role("alert")).to_contain_text("网络不通")
        expect(form.get_by_label("撤销理由")).to_have_value("重复立案")
        board.page.unroute("**/casework/append")
        retry.click()
        expect(board.drawer.get_by_role("status")).to_have_text("撤销已登记。")
        expect(board.state()).to_have_text(CaseState.CANCELLED.label)
        assert lost == [200] * 3
        assert len({action["event_id"] for action in actions}) == 1
        ledger = open_ledger(waiting.store, read_only=True)
        events = ledger.events(waiting.case_id)["event"].tolist()
        ledger.close()
        assert events.count("cancel") == 1


def test_a_database_that_goes_away_is_told_and_loses_nothing(
    watch: Watch, serve: Callable[..., str], city_on_a_server: City, postgres_server: PostgresServer
) -> None:
    city = with_another_case(city_on_a_server)
    url = serve(city.run, city, *CITY)
    with opened(watch, url, told="503 (Service Unavailable)") as board:
        board.open(city)
        form = board.choose("派单")
        form.get_by_label("要求").fill("十日内办结")
        postgres_server.halt(immediate=True)
        form.get_by_role("button", name="确认派单").click()
        expect(form.get_by_role("alert")).to_contain_text("连不上案件台账")
        expect(form.get_by_label("要求")).to_have_value("十日内办结")
        board.page.evaluate(SEEN_AGAIN)
        expect(board.drawer.locator(".hj-alert")).to_contain_text("没有应答")
        postgres_server.start()
        board.page.evaluate(SEEN_OFTEN)
        expect(board.drawer.locator(".hj-case-head")).to_contain_text(city.case_id)
        board.page.evaluate(SEEN_ENOUGH)
        form.get_by_role("button", name="重试").click()
        expect(board.drawer.get_by_role("status")).to_have_text("派单已登记。")
        expect(board.state()).to_have_text(CaseState.DISPATCHED.label)
    with open_ledger(city.reader, read_only=True) as ledger:
        assert ledger.events(city.case_id)["event"].tolist() == ["open", "dispatch"]


def test_many_are_dispatched_at_once_and_a_repeat_doubles_nothing(
    watch: Watch, serve: Callable[..., str], city: City
) -> None:
    """Somebody else takes one of them and the answer is lost: each case is told, none is doubled."""
    with open_ledger(city.reader, read_only=True) as ledger:
        waiting = ledger.cases(states=[CaseState.ALERT])
    waiting = waiting[waiting["township_code"] != city.scope]
    several = waiting.groupby("township_code")["case_id"].transform("size").between(4, 60)
    township = waiting.loc[several, "township_code"].iloc[0]
    mine = set(waiting.loc[waiting["township_code"] == township, "case_id"])
    with opened(watch, serve(city.run, city, *CITY), told="net::ERR_FAILED") as board:
        page = board.page
        page.get_by_label("镇街").select_option(township)
        page.get_by_role("button", name="批量派单").click()
        expect(board.drawer.locator(".hj-together li")).to_have_count(len(mine))
        left, taken = sorted(mine)[:2]
        page.evaluate(LOOKED_AT_NO_MORE)
        page.locator(f"#hj-together-{left}").uncheck()
        with open_ledger(city.store, evidence=city.evidence) as other:
            other.append(dispatch(other.case(taken)))
        lost: list[int] = []

        def lose(route: Route) -> None:
            lost.append(route.fetch().status)
            route.abort()

        form = board.drawer.locator("form")
        form.get_by_label("责任单位").fill(city.owner)
        form.get_by_label("要求").fill("十日内办结")
        page.route("**/casework/dispatch", lose)
        form.get_by_role("button", name="确认派单").click()
        expect(form.get_by_role("button", name="重试")).to_be_enabled()
        page.unroute("**/casework/dispatch")
        form.get_by_role("button", name="重试").click()
        expect(board.drawer.get_by_role("status")).to_have_text(f"已派单 {len(mine) - 2} 件。")
        expect(board.drawer.get_by_role("alert")).to_contain_text("1 件没有派出")
        expect(board.drawer.get_by_role("alert")).to_contain_text("已被他人更新")
        expect(board.drawer.locator(".hj-together li")).to_have_count(1)
        assert lost == [200] * 3
    with open_ledger(city.reader, read_only=True) as ledger:
        events = ledger.events()
    found = events[events["case_id"].isin(mine)].groupby("case_id")["event"].agg(list)
    assert found.pop(left) == ["open"]
    assert all(told == ["open", "dispatch"] for told in found)


def dispatch(case: Case) -> Action:
    """Return the event by which another account of the city dispatches a case."""
    order = {"owner": case.township_name, "due_on": "2026-12-31", "note": ""}
    who = Actor("wang", "市换届办", Role.CITY)
    return Action(
        f"other-{case.case_id}", case.case_id, CaseEvent.DISPATCH, who, case.opened_on, case.version, order
    )


CUT = """() => [...document.querySelectorAll('.hj-screen:not(.hj-preview) *')]
    .filter((part) => part.clientWidth && part.scrollWidth > part.clientWidth + 1
        && !part.closest('.hj-wide-table') && getComputedStyle(part).overflowX !== 'visible')
    .map((part) => `${part.className}: ${part.textContent.trim().slice(0, 40)}`)"""
EXTENT = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_cut_at_the_sizes_of_projectors(
    watch: Watch,
    serve: Callable[..., str],
    city: City,
    tmp_path_factory: pytest.TempPathFactory,
    width: int,
    height: int,
) -> None:
    pictures = tmp_path_factory.mktemp(f"casework-{width}x{height}")
    with opened(watch, serve(city.run, city, *CITY)) as board:
        page = board.page
        page.set_viewport_size({"width": width, "height": height})
        steps: dict[str, Callable[[], object]] = {
            "board": lambda: None,
            "case": lambda: page.locator(".hj-card").first.click(),
            "together": lambda: (
                page.keyboard.press("Escape"),
                page.get_by_role("button", name="批量派单").click(),
            ),
            "due": lambda: (
                page.keyboard.press("Escape"),
                page.get_by_role("tab", name="逾期与将到期").click(),
            ),
            "audit": lambda: page.get_by_role("tab", name="审计台账").click(),
            "conflict": lambda: page.get_by_role("tab", name="矛盾台账").click(),
            "effect": lambda: page.get_by_role("tab", name="成效").click(),
        }
        for name, step in steps.items():
            step()
            board.talk.end()
            page.screenshot(path=pictures / f"{name}.png")
            assert page.evaluate(CUT) == [], name
            assert page.evaluate(EXTENT) == [width, height], name
            assert width > 1366 or grave_findings(page) == [], name
            assert page.locator(".hj-work .hj-alert").count() == 0, name
        with page.expect_download() as download:
            page.get_by_role("button", name="导出台账").click()
        assert download.value.suggested_filename == "整改台账-20261031.xlsx"
        with download.value.path().open("rb") as file:
            assert len(openpyxl.load_workbook(file, read_only=True).sheetnames) > 3


def test_the_board_is_worked_by_the_keyboard_alone(
    watch: Watch, serve: Callable[..., str], city: City
) -> None:
    with opened(watch, serve(city.run, city, *CITY)) as board:
        page = board.page
        card = page.locator(".hj-card").first
        key = card.get_attribute("data-key")
        board.talk.end()
        card.focus()
        page.keyboard.press("Enter")
        expect(board.drawer.locator(".hj-case-head")).to_be_visible()
        expect(page.get_by_role("button", name="关闭")).to_be_focused()
        page.keyboard.press("Escape")
        expect(board.drawer).to_be_hidden()
        expect(page.locator(f'[data-key="{key}"]').first).to_be_focused()
