"""Kernels are told of parts of what the server reads, one for each kind of account, and of nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import DataError, LedgerError, UsageError
from huanjie_lib.screens.cuts import (
    ACTOR_VARIABLE,
    NAMES_VARIABLE,
    RUN_VARIABLE,
    STORE_VARIABLE,
    TALENT_VARIABLE,
    Cuts,
    Whole,
)
from huanjie_lib.screens.kernels import Viewer
from huanjie_lib.screens.talent_names import Names, write_names
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.ledger_cut import open_cut
from huanjie_lib.store.run_folder import Run, read_run
from huanjie_lib.store.talent_folder import read_talent
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.loops import run_apart
from tests.offices import CITY, TOWN, act
from tests.talent_runs import BRIDGE, KEYS, NAMES, ZHANG, talent_folder

OFFICE = Actor("li", "市委组织部", Role.TALENT)


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    (tmp_path / "apart").mkdir()
    return tmp_path / "apart"


def named(path: str) -> set[str]:
    """Return who is called otherwise than by pseudonym."""
    return {ref for ref, name in Names(Path(path)).of(NAMES).items() if name != ref}


class TestTalent:
    @pytest.fixture
    def cuts(self, tmp_path: Path, apart: Path) -> Iterator[Cuts]:
        run = talent_folder(tmp_path / "t")
        KEYS.write(tmp_path / "key.json")
        write_names(run, tmp_path / "key.json", apart / "names.parquet", role=Role.TALENT)
        open_ledger(tmp_path / "store", create=True).close()
        whole = Whole(None, tmp_path / "t", tmp_path / "store", apart / "names.parquet")
        cuts = Cuts("talent", whole, apart)
        yield cuts
        cuts.close()

    def test_an_office_of_the_city_gets_everybody_under_masked_names(self, cuts: Cuts, apart: Path) -> None:
        told = cuts.told(cuts.make(OFFICE), OFFICE)
        assert set(told) == {TALENT_VARIABLE, NAMES_VARIABLE, STORE_VARIABLE, ACTOR_VARIABLE}
        assert read_talent(Path(told[TALENT_VARIABLE])).people() == set(NAMES)
        assert Names(Path(told[NAMES_VARIABLE])).of([ZHANG]) == {ZHANG: "张*三"}
        for name in (TALENT_VARIABLE, NAMES_VARIABLE, STORE_VARIABLE):
            place = Path(told[name])
            assert place.is_relative_to(apart)
            assert place.parent != apart
        assert json.loads(told[ACTOR_VARIABLE])["account"] == "li"

    def test_an_area_gets_people_and_names_of_its_own(self, cuts: Cuts, tmp_path: Path) -> None:
        some = replace(OFFICE, scope=(BRIDGE,))
        mine = read_talent(tmp_path / "t").people_of(some.scope)
        assert set() < mine < set(NAMES)
        told = run_apart(cuts(Viewer("li", some)))
        assert json.loads(told[ACTOR_VARIABLE])["scope"] == [BRIDGE]
        assert named(told[NAMES_VARIABLE]) == mine == read_talent(Path(told[TALENT_VARIABLE])).people()
        assert named(run_apart(cuts(Viewer("sun", OFFICE)))[NAMES_VARIABLE]) == set(NAMES)

    def test_without_a_key_there_are_no_names(self, tmp_path: Path, apart: Path) -> None:
        talent_folder(tmp_path / "t")
        open_ledger(tmp_path / "store", create=True).close()
        cuts = Cuts("talent", Whole(None, tmp_path / "t", tmp_path / "store"), apart)
        assert cuts.make(OFFICE).told[NAMES_VARIABLE] == ""
        cuts.close()


class TestCasework:
    @pytest.fixture
    def cuts(self, tmp_path: Path, apart: Path, small_city_run: Path) -> Iterator[Cuts]:
        with open_ledger(tmp_path / "store", create=True) as ledger:
            ledger.append(act(CaseEvent.OPEN, CITY, 0))
        cuts = Cuts("casework", Whole(small_city_run, store=tmp_path / "store"), apart)
        yield cuts
        cuts.close()

    def test_accounts_that_may_see_the_same_share_a_part(self, cuts: Cuts, small_city_run: Path) -> None:
        town = str(read_run(small_city_run).units["township_code"].iloc[0])
        one, same = (Viewer(name, Actor(name, "一镇", Role.TOWNSHIP, (town,))) for name in ("wu", "xu"))
        other = Viewer("ma", Actor("ma", "另一单位", Role.TOWNSHIP, (town,)))

        async def all_of_them() -> list[dict[str, str]]:
            return [await cuts(viewer) for viewer in (one, same, other)]

        told = run_apart(all_of_them())
        assert told[0][RUN_VARIABLE] == told[1][RUN_VARIABLE] != told[2][RUN_VARIABLE]
        assert told[0][ACTOR_VARIABLE] != told[1][ACTOR_VARIABLE]
        units = read_run(Path(told[0][RUN_VARIABLE])).units
        assert set(units["township_code"]) == {town}
        assert TALENT_VARIABLE not in told[0]

    def test_what_is_recorded_in_an_accounts_name_is_seen_by_it_at_once_and_soon_by_all(
        self, cuts: Cuts, tmp_path: Path
    ) -> None:
        kept = [cuts.make(actor) for actor in (CITY, replace(CITY, office="别的单位"))]
        with open_ledger(tmp_path / "store") as ledger:
            ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C2"))

        def seen() -> list[int]:
            ledgers = [open_cut(cut.told[STORE_VARIABLE]) for cut in kept]
            found = [len(ledger.cases()) for ledger in ledgers]
            for ledger in ledgers:
                ledger.close()
            return found

        assert seen() == [1, 1]
        cuts.refresh(CITY)
        cuts.refresh(TOWN)  # nobody of it has looked yet
        assert seen() == [2, 1]

        async def for_a_while() -> None:
            watching = asyncio.create_task(cuts.watch())
            for _ in range(100):
                await asyncio.sleep(0.1)
                if seen() == [2, 2]:
                    break
            watching.cancel()

        run_apart(for_a_while())
        assert seen() == [2, 2]

    def test_an_outage_between_two_looks_is_over_for_all_at_the_next_though_nothing_was_recorded(
        self, cuts: Cuts, tmp_path: Path
    ) -> None:
        cut = cuts.make(CITY)
        assert cut.ledger is not None
        assert cuts._source is not None
        with open_cut(cut.told[STORE_VARIABLE]) as seen:
            cuts._look()
            before = seen.mark()
            cuts._source.close()
            cut.ledger._source.close()
            (tmp_path / "store").rename(tmp_path / "away")
            cuts.refresh(CITY)  # as after an action that could not be recorded
            with pytest.raises(LedgerError, match="案件台账"):
                seen.mark()
            (tmp_path / "away").rename(tmp_path / "store")
            cuts._look()
            assert seen.mark() == before

    def test_a_look_that_fails_is_told_and_not_the_last(
        self, cuts: Cuts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("huanjie_lib.screens.cuts._LOOKED_AFTER_S", 0.001)
        looks: list[int] = []

        def look() -> None:
            looks.append(len(looks))
            if len(looks) == 1:
                raise RuntimeError("of a kind that nobody foresaw")

        monkeypatch.setattr(cuts, "_look", look)

        async def until_the_second() -> None:
            watching = asyncio.create_task(cuts.watch())
            async with asyncio.timeout(30):
                while len(looks) < 2:
                    await asyncio.sleep(0.001)
            watching.cancel()

        run_apart(until_the_second())
        assert "nobody foresaw" in caplog.text

    def test_an_area_without_a_unit_and_a_role_without_cases_are_refused_again_and_again(
        self, cuts: Cuts
    ) -> None:
        for actor, error in (
            (Actor("a", "o", Role.TOWNSHIP, ("5",)), DataError),
            (Actor("a", "o", Role.READER), UsageError),
        ):
            for _ in range(2):
                with pytest.raises(error):
                    run_apart(cuts(Viewer("a", actor)))


class TestOverview:
    def test_an_area_gets_a_run_of_its_own_and_the_city_what_waits_in_the_pool(
        self, small_run: Run, apart: Path
    ) -> None:
        cuts = Cuts("overview", Whole(small_run.path), apart)
        town = Actor("zhao", "石桥镇", Role.TOWNSHIP, ("990101102",))
        told = run_apart(cuts(Viewer("zhao", town)))
        assert set(told) == {RUN_VARIABLE}
        assert set(read_run(Path(told[RUN_VARIABLE])).units["township_code"]) == {"990101102"}
        assert run_apart(cuts(Viewer("wang", replace(town, scope=())))) == {}
        assert run_apart(cuts(Viewer("a browser"))) == {}
        cuts.close()
