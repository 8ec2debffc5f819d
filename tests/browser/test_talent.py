"""The talent screen, driven in Chromium over the server and the writer that ``huanjie serve`` starts.

A small city is matched by ``huanjie match``. The office looks for posts, reads a shortlist, opens a person,
sets two side by side, looks at committees, races and the proof, and decides; what it decided stands in the
ledger. Neither a name nor an ID number leaves the server, and no pseudonym stands in an address.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from huanjie_lib import cli, matching
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.masking import mask_name
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.talent_folder import TalentRun, read_talent
from huanjie_lib.views import talent
from huanjie_lib.vocabulary import PostKind
from tests.browser.axe import grave_findings
from tests.browser.conftest import free_port
from tests.browser.serving import huanjie, servers
from tests.browser.waiting import LOOKED_AT_NO_MORE, Talk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AS_OF = "2026-10-31"
SEED = 20261031
SIZES = [(1366, 768), (1920, 1080)]
ADVICE = "仅供决策参考，由组织决定"
SCREEN = ".hj-talent:not(.hj-preview)"
Watch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Office:
    """A served talent run: its address, log and ledger, and the names that must not be seen."""

    run: TalentRun
    url: str
    log: Path
    store: Path
    names: dict[str, str]
    numbers: tuple[str, ...]

    def busiest(self) -> dict[Any, Any]:
        """Return a post whose shortlist is long."""
        posts = talent.post_list(self.run)
        lengths = self.run.table("shortlists").groupby(["unit_code", "post"]).size()
        key = max(lengths.index, key=lambda place: (lengths[place], place))
        return posts[posts["key"] == "/".join(key)].to_dict("records")[0]


@pytest.fixture(scope="module")
def office(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A small city matched and served to the organisation's office."""
    folder = tmp_path_factory.mktemp("talent")
    matched, store, key, log = (folder / name for name in ("t", "store", "key.json", "serve.log"))
    with pytest.MonkeyPatch.context() as patch:  # its certificate scores a few people again and again
        patch.setattr(matching, "PROVED_PEOPLE", 60)
        patch.setattr(matching, "PROVED_UNITS", 6)
        match = ["match", "--data", str(small_city), "--as-of", AS_OF, "--out", str(matched)]
        assert cli.main(match) == 0
    huanjie("store", "init", "--store", store)
    keys = KeyRing.from_seed(SEED)
    keys.write(key)
    run = read_talent(matched)
    sealed = run.identities()
    opened = {
        what: {
            ref: keys.unseal(text, what, ref)
            for ref, text in zip(sealed["person_ref"], sealed[column], strict=True)
        }
        for what, column in (("name", "name_sealed"), ("id_number", "id_sealed"))
    }
    with servers() as started:
        who = ("--account", "li", "--office", "市委组织部", "--role", "talent")
        where = ("--talent", matched, "--key", key, "--store", store, "--port", free_port())
        url = started.start(log, "--app", "talent", *where, *who)
        yield Office(run, url, log, store, opened["name"], tuple(opened["id_number"].values()))


@dataclass
class Room:
    """An open screen, and everything that came and went."""

    page: Page
    talk: Talk
    office: Office
    frames: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def part(self, selector: str) -> Locator:
        return self.page.locator(f"{SCREEN} {selector}")

    @property
    def drawer(self) -> Locator:
        return self.part(".hj-drawer")

    def tab(self, label: str) -> None:
        self.page.get_by_role("tab", name=label).click()
        expect(self.page.get_by_role("tab", name=label)).to_have_attribute("aria-selected", "true")

    def choose(self, post: dict[Any, Any]) -> None:
        """Find a post by its unit's name and its kind."""
        self.page.get_by_label("按村（社区）名称查找").fill(post["unit_name"])
        self.part('select[data-action="kind"]').select_option(post["post"])
        self.part(f'[data-value="{post["key"]}"]').click()
        expect(self.part(".hj-main-head h2")).to_contain_text(PostKind.labels()[post["post"]])

    def leaks(self) -> list[str]:
        """Return names and numbers that reached the page or the log, and pseudonyms in addresses."""
        seen = "\n".join([self.page.content(), *self.frames])
        log = self.office.log.read_text(encoding="utf-8")
        names = {name for name in self.office.names.values() if len(name) > 2}
        told = [text for text in (*names, *self.office.numbers) if text in seen or text in log]
        addresses = "\n".join(self.addresses)
        return told + [ref for ref in self.office.names if ref in addresses or ref in log]


@contextmanager
def opened(watch: Watch, office: Office, *, told: str = "nothing") -> Iterator[Room]:
    """Open the screen; when it is left nothing may have gone wrong, and nobody may have been named."""
    with watch() as watched:
        room = Room(watched.page, watched.talk, office)

        def listen(socket: WebSocket) -> None:
            for event in ("framereceived", "framesent"):
                socket.on(event, lambda payload: room.frames.append(_text(payload)))

        room.page.on("websocket", listen)
        room.page.on("request", lambda request: room.addresses.append(request.url))
        room.page.on("framenavigated", lambda frame: room.addresses.append(frame.url))
        room.page.goto(office.url, timeout=120_000)
        expect(room.part(".hj-card").first).to_be_visible(timeout=120_000)
        yield room
        assert watched.page_errors == []
        assert [error for error in watched.console_errors if told not in error] == []
        assert room.leaks() == []


def _text(payload: str | bytes) -> str:
    return payload if isinstance(payload, str) else payload.decode("utf-8", "replace")


def test_posts_are_filtered_and_the_one_chosen_shows_its_shortlist(watch: Watch, office: Office) -> None:
    posts = talent.post_list(office.run)
    with opened(watch, office) as room:
        expect(room.part(".hj-head")).to_contain_text(ADVICE)
        assert "token" not in room.page.url
        lacking = int((posts["lacking"] > 0).sum())
        expect(room.part('[data-figure="lacking"]')).to_have_text(str(lacking))
        place = posts["township_name"].value_counts().idxmax()
        room.part('select[data-action="township"]').select_option(label=str(place))
        room.part('select[data-action="kind"]').select_option("director")
        expected = posts[(posts["township_name"] == place) & (posts["post"] == "director")]
        expect(room.part(".hj-picks h2")).to_contain_text(f"{len(expected)} 个")
        expect(room.part(".hj-picks .hj-card")).to_have_count(len(expected))
        room.part('[data-key="filter-lacking"]').click()
        expect(room.part(".hj-picks h2")).to_contain_text(f"{int((expected['lacking'] > 0).sum())} 个")
        room.part('[data-key="filter-lacking"]').click()
        room.part('select[data-action="township"]').select_option("")

        post = office.busiest()
        room.choose(post)
        found = talent.candidates(office.run, post["unit_code"], post["post"])
        rows = room.part(".hj-shortlist tbody tr:not(.hj-cut)")
        expect(rows).to_have_count(len(found))
        first = rows.first
        expect(first).to_contain_text(mask_name(office.names[found[0].person_ref]))
        expect(first).to_contain_text(f"{found[0].low:.1f}～{found[0].high:.1f}")
        expect(first).to_contain_text(found[0].reasons[0])


def test_a_person_and_two_side_by_side(watch: Watch, office: Office) -> None:
    post = office.busiest()
    a, b = (one.person_ref for one in talent.candidates(office.run, post["unit_code"], post["post"])[:2])
    names = [mask_name(office.names[ref]) for ref in (a, b)]
    with opened(watch, office) as room:
        room.choose(post)
        room.part(".hj-shortlist .hj-link").first.click()
        expect(room.drawer.locator(".hj-case-head")).to_contain_text(names[0])
        expect(room.drawer.locator(".hj-case-head")).to_contain_text(ADVICE)
        expect(room.drawer.locator('[data-table="verdicts"] tbody tr')).to_have_count(len(PostKind))
        expect(room.drawer.locator('[data-table="portrait"] tbody tr')).to_have_count(12)
        held = office.run.table("evidence", person_ref=a)
        expect(room.drawer.locator('[data-table="evidence"] tbody tr')).to_have_count(len(held))
        room.page.keyboard.press("Escape")
        expect(room.drawer).to_be_hidden()
        for number in (0, 1):
            room.part(".hj-mark-button").nth(number).click()
            if number == 0:
                expect(room.part(".hj-hint")).to_be_visible()
        frame = talent.comparison(office.run, a, b, post["unit_code"], post["post"])
        sentence = talent.comparison_sentence(frame, *names)
        expect(room.drawer.locator(".hj-case-head")).to_contain_text(sentence)
        rows = room.drawer.locator('[data-table="comparison"] tbody tr')
        expect(rows).to_have_count(12)
        expect(rows.first).to_contain_text(frame["label"].iloc[0])
        room.page.keyboard.press("Escape")
        expect(room.drawer).to_be_hidden()


def test_committees_races_and_the_proof(watch: Watch, office: Office) -> None:
    with opened(watch, office) as room:
        room.tab("班子结构")
        unit = talent.committees(office.run).to_dict("records")[0]
        expect(room.part(".hj-main-head h2")).to_contain_text(unit["unit_name"])
        members = talent.members(office.run, unit["unit_code"])
        expect(room.part('[data-table="members"] tbody tr')).to_have_count(len(members))
        checks = talent.checks(office.run, unit["unit_code"])
        expect(room.part('[data-table="checks"] tbody tr')).to_have_count(len(checks))
        expect(room.part('[data-table="checks"]')).to_contain_text(checks[0]["label"])
        room.tab("准岗赛马")
        groups = talent.races(office.run)
        expect(room.part(".hj-picks .hj-card")).to_have_count(len(groups))
        room.part(f'[data-value="{groups["group_ref"].iloc[-1]}"]').click()
        people = talent.race(office.run, groups["group_ref"].iloc[-1])
        expect(room.part('[data-table="race"] tbody tr')).to_have_count(len(people))
        room.tab("公平凭证")
        proof = talent.proof(office.run)
        expect(room.part(f'[data-proof="{proof["status"].value}"]')).to_be_visible()
        expect(room.part('[data-table="certificate"]')).to_contain_text("性别")
        room.tab("培养计划")
        with room.page.expect_download() as download:
            room.page.get_by_role("button", name="导出培养计划").click()
        assert download.value.suggested_filename == "培养计划-20261031.xlsx"


def test_a_decision_is_recorded_once_with_its_reason(watch: Watch, office: Office) -> None:
    post = office.busiest()
    first, second, *_ = talent.candidates(office.run, post["unit_code"], post["post"])
    with opened(watch, office, told="409 (Conflict)") as room, opened(watch, office) as other:
        for each in (room, other):
            each.choose(post)
            each.part(".hj-shortlist .hj-link").first.click()
            expect(each.drawer.get_by_role("button", name="采纳", exact=True)).to_be_visible()
        submit = room.drawer.get_by_role("button", name="登记决定")
        expect(submit).to_be_disabled()
        room.drawer.get_by_role("button", name="改选").click()
        expect(room.drawer.locator(".hj-blockers")).to_contain_text("请选择改选的人员。")
        room.drawer.get_by_label("改选人员").select_option(second.person_ref)
        expect(submit).to_be_disabled()
        expect(room.drawer.locator(".hj-blockers")).to_contain_text("请写明理由。")
        room.drawer.get_by_label("理由").fill("本人另有任用")

        room.page.evaluate(LOOKED_AT_NO_MORE)
        other.drawer.get_by_role("button", name="采纳", exact=True).click()
        other.drawer.get_by_role("button", name="登记决定").click()
        expect(other.drawer.get_by_role("status")).to_have_text("采纳已登记。")
        submit.click()
        expect(room.drawer.get_by_role("alert")).to_contain_text("别人刚刚登记了有关的决定")
        expect(room.drawer.get_by_label("理由")).to_have_value("本人另有任用")
        expect(room.drawer.locator(".hj-decisions")).to_contain_text("采纳")
        submit.click()
        expect(room.drawer.get_by_role("status")).to_have_text("改选已登记。")
        expect(room.drawer.locator(".hj-decisions li")).to_have_count(2)
        expect(room.drawer.locator(".hj-decisions li").first).to_contain_text("本人另有任用")
        tag = room.part(f'.hj-picks [data-value="{post["key"]}"] .hj-tag-seat')
        expect(tag).to_have_text("改选")

        room.page.keyboard.press("Escape")
        another = next(
            p for p in talent.post_list(office.run).to_dict("records") if _lists(office, p, second, post)
        )
        room.choose(another)
        link = room.page.locator(f'[data-value="{second.person_ref}"]')
        row = room.part(".hj-shortlist tr").filter(has=link)
        expect(row).to_contain_text("已定他岗")
        row.locator(".hj-link").click()
        room.drawer.get_by_role("button", name="采纳", exact=True).click()
        expect(room.drawer.get_by_role("alert")).to_contain_text(f"此人已被采纳到{post['unit_name']}")
        expect(submit).to_be_disabled()
        room.drawer.get_by_label("理由").fill("一肩挑")
        submit.click()
        expect(room.drawer.get_by_role("status")).to_have_text("采纳已登记。")
    with open_ledger(office.store, read_only=True) as ledger:
        made = ledger.decisions(post["unit_code"], post["post"])
    told = made[["choice", "person_ref", "instead_ref", "reason", "departs", "account", "role"]]
    assert told.values.tolist() == [
        ["accept", first.person_ref, "", "", 0, "li", "talent"],
        ["change", first.person_ref, second.person_ref, "本人另有任用", 1, "li", "talent"],
    ]


def _lists(office: Office, post: dict[Any, Any], who: talent.Candidate, not_here: dict[Any, Any]) -> bool:
    found = talent.candidates(office.run, post["unit_code"], post["post"])
    return post["key"] != not_here["key"] and who.person_ref in [one.person_ref for one in found]


def test_a_name_is_shown_for_a_reason_that_stands_in_the_log_first(watch: Watch, office: Office) -> None:
    post = office.busiest()
    first = talent.candidates(office.run, post["unit_code"], post["post"])[0].person_ref
    name = office.names[first]
    with opened(watch, office) as room:
        room.choose(post)
        room.part(".hj-shortlist .hj-link").first.click()
        room.drawer.get_by_role("button", name="查看原文").click()
        show = room.drawer.get_by_role("button", name="显示姓名")
        expect(show).to_be_disabled()
        expect(room.drawer.locator("#hj-look-blockers")).to_contain_text("请写明事由")
        room.drawer.get_by_label("查看事由").fill(f"电话通知{name}参加考察")
        show.click()
        expect(room.drawer.locator(".hj-full-name")).to_have_text(name)
        room.drawer.get_by_role("button", name="隐藏").click()
        expect(room.drawer.locator(".hj-full-name")).to_have_count(0)
        room.page.keyboard.press("Escape")
        expect(room.drawer).to_be_hidden()
        with room.page.expect_download() as download:
            room.page.get_by_role("button", name="导出建议名册").click()
        saved = hashlib.sha256(download.value.path().read_bytes()).hexdigest()
    with open_ledger(office.store, read_only=True) as ledger:
        log = ledger.access_log()
        assert ledger.verify() == []
    (seen,) = log[log["action"] == "unmask"].to_dict("records")
    assert (seen["subject"], seen["account"], seen["role"]) == (first, "li", "talent")
    assert seen["reason"] == "电话通知（姓名已隐藏）参加考察"
    assert saved in set(log.loc[log["action"] == "export", "digest"])
    assert (log["action"] == "open").sum() >= 1
    whole = log.to_csv()
    assert not [
        known for known in (*office.names.values(), *office.numbers) if len(known) > 2 and known in whole
    ]


CUT = """() => [...document.querySelectorAll('.hj-talent:not(.hj-preview) *')]
    .filter((part) => part.clientWidth && part.scrollWidth > part.clientWidth + 1
        && !part.closest('.hj-wide-table') && !part.matches('.hj-hidden')
        && getComputedStyle(part).overflowX !== 'visible')
    .map((part) => `${part.className}: ${part.textContent.trim().slice(0, 40)}`)"""
LARGE_CITY = """() => document.querySelectorAll('.hj-tile-count, .hj-tile-change').forEach((part) => {
    part.textContent = part.textContent.replace(/[0-9][0-9,]*/, '88,888');
})"""
EXTENT = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_cut_at_the_sizes_of_projectors(
    watch: Watch, office: Office, tmp_path: Path, width: int, height: int
) -> None:
    with opened(watch, office) as room:
        page = room.page
        page.set_viewport_size({"width": width, "height": height})
        room.choose(office.busiest())

        def compare() -> None:
            page.keyboard.press("Escape")
            expect(room.drawer).to_be_hidden()
            for number in (0, 1):
                room.part(".hj-mark-button").nth(number).click()
                expect(room.part('.hj-mark-button[aria-pressed="true"]')).to_have_count(number + 1)
            expect(room.drawer.locator('[data-table="comparison"]')).to_be_visible()

        steps: dict[str, Callable[[], object]] = {
            "posts": lambda: None,
            "person": lambda: room.part(".hj-shortlist .hj-link").first.click(),
            "compare": compare,
            "teams": lambda: (page.keyboard.press("Escape"), room.tab("班子结构")),
            "races": lambda: room.tab("准岗赛马"),
            "steps": lambda: room.tab("培养计划"),
            "reserve": lambda: room.tab("后备储备"),
            "proof": lambda: room.tab("公平凭证"),
        }
        for name, go in steps.items():
            go()
            room.talk.end()
            page.evaluate(LARGE_CITY)
            page.screenshot(path=tmp_path / f"{name}.png")
            assert page.evaluate(CUT) == [], name
            assert page.evaluate(EXTENT) == [width, height], name
            assert width > 1366 or grave_findings(page) == [], name
            assert not re.search(r"hj-level-", page.locator(SCREEN).inner_html())
