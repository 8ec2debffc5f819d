"""What if without a browser: what it computes, what it says, what it refuses, and where it writes."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import ipywidgets
import nbclient
import nbformat
import numpy as np
import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.screens import open_what_if
from huanjie_lib.screens.panel import Panel
from huanjie_lib.screens.serve import notebook_path
from huanjie_lib.screens.what_if import CUTS, DIRECTIONS, WhatIfModel, WhatIfView
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.tables import VERIFY_CODE
from huanjie_lib.vocabulary import Level
from huanjie_lib.workbench import assess, open_data

HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_CODE = "990101101202"
AS_OF = dt.date(2026, 10, 31)
AUDIT = "finance_audit"
NONSENSE: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    1e300,
    -1,
    10**30,
    None,
    True,
    "",
    "__import__('os')",
    HOSTILE,
    [],
    [float("nan")] * 7,
    [1000, 0, 0, 0, 0, 0, 0],
    {},
    {"year": "x"},
    {"year": 10**9, "month": 99, "date": -1},
)


@pytest.fixture
def model(small_run: Run) -> WhatIfModel:
    return WhatIfModel(small_run)


@pytest.fixture
def view(model: WhatIfModel) -> WhatIfView:
    return WhatIfView(model)


@pytest.fixture
def writer(small_run: Run, tmp_path: Path) -> WhatIfModel:
    """A model that may write, with a proposal filled in."""
    model = WhatIfModel(small_run, proposals=tmp_path)
    model.move(AUDIT, 350)
    model.set_state({"author": "  王敏 ", "reason": "今年审计任务\n较重"})
    return model


@pytest.fixture(scope="module")
def city(small_city: Path) -> Run:
    """A whole city assessed with equal weights for six dimensions and none for the last."""
    pack = load_parameters()
    *six, last = pack.framework.dimensions
    weighted = (
        *(d.model_copy(update={"weight": 1 / 6}) for d in six),
        last.model_copy(update={"weight": 0.0}),
    )
    framework = pack.framework.model_copy(update={"dimensions": weighted})
    parameters = pack.model_copy(update={"framework": framework})
    return assess(open_data(small_city), as_of=AS_OF, parameters=parameters)


def child(view: WhatIfView, name: str) -> Any:
    """Return a widget of the screen by its class."""
    return next(
        widget for widget in widgets(view.widget) if f"hj-{name}" in getattr(widget, "_dom_classes", ())
    )


def widgets(top: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Yield a widget, everything in it, and their layouts and styles: all that a page can name."""
    yield top
    for name in ("layout", "style"):
        if isinstance(getattr(top, name, None), ipywidgets.Widget):
            yield getattr(top, name)
    for part in getattr(top, "children", ()):
        yield from widgets(part)


def send(widget: ipywidgets.Widget, method: str, **data: Any) -> None:
    """Bring a message of the page to a widget as the kernel does, which logs what a widget raises."""
    try:
        widget._handle_msg({"content": {"data": {"method": method, **data}}, "buffers": []})
    except (traitlets.TraitError, TypeError, ValueError, KeyError, AttributeError, OverflowError):
        return


def press(view: WhatIfView, panel: str, action: str, value: str = "") -> None:
    send(child(view, panel), "custom", content={"action": action, "value": value})


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


class TestModel:
    def test_opens_on_the_run_itself(self, model: WhatIfModel, small_run: Run) -> None:
        assert model.is_adopted
        assert not model.changes.changed.any()
        assert model.rows() == []
        codes = np.frombuffer(tables.level_bytes(small_run), dtype=np.uint8)
        assert model.level_bytes() == (codes & (3 | VERIFY_CODE)).tobytes()
        assert sum(model.tenths) == 1000

    def test_a_unit_whose_colour_is_open_stays_marked(self, model: WhatIfModel) -> None:
        model.move("green_from", 720)
        marks = np.frombuffer(model.level_bytes(), dtype=np.uint8)
        assert ((marks & VERIFY_CODE) > 0).tolist() == model.changes.proposed.to_verify.tolist()
        assert 0 < model.changes.proposed.to_verify.sum() == model.counts()["to_verify"][0]

    def test_state_goes_out_and_in_and_back_to_the_start(self, model: WhatIfModel) -> None:
        start = model.get_state()
        model.lock("committee_operation")
        model.move(AUDIT, 333)
        model.move("yellow_from", 455)
        model.set_state({"direction": "worse", "unit": HOSTILE_CODE, "author": "甲", "effective_from": None})
        state, levels = model.get_state(), model.level_bytes()
        model.reset()
        assert model.get_state() == start
        model.set_state(state)
        assert model.get_state() == state
        assert model.level_bytes() == levels

    def test_going_back_keeps_what_was_typed(self, model: WhatIfModel) -> None:
        model.move(AUDIT, 333)
        model.move("green_from", 900)
        model.set_state({"author": "甲", "unit": HOSTILE_CODE})
        model.restore()
        assert model.is_adopted
        assert (model.author, model.unit) == ("甲", HOSTILE_CODE)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"shares": (1000.0,)},
            {"shares": (float("nan"), 1000.0, 0.0, 0.0, 0.0, 0.0, 0.0)},
            {"shares": (-1.0, 1001.0, 0.0, 0.0, 0.0, 0.0, 0.0)},
            {"shares": (True, 999.0, 0.0, 0.0, 0.0, 0.0, 0.0)},
            {"shares": ("a",) * 7},
            {"shares": (100.0,) * 7},
            {"locked": ("nothing",)},
            {"locked": (AUDIT, AUDIT)},
            {"green_from": 100.5},
            {"green_from": float("nan")},
            {"green_from": 60.0},
            {"yellow_from": 80.0},
            {"yellow_from": -1.0},
            {"green_from": 50.0, "yellow_from": 55.0},
            {"direction": "up"},
            {"listed": 10**9},
            {"unit": "000000000000"},
            {"author": 1},
            {"effective_from": "2026-10-31"},
            {"run": None},
        ],
    )
    def test_what_does_not_fit_is_refused_whole(self, model: WhatIfModel, wrong: dict[str, Any]) -> None:
        before = model.get_state()
        with pytest.raises(traitlets.TraitError):
            model.set_state({"reason": "会商", **wrong})
        assert model.get_state() == before

    def test_both_cut_offs_can_be_set_at_once(self, model: WhatIfModel) -> None:
        model.set_state({"green_from": 55.0, "yellow_from": 30.0})
        assert (model.classification.yellow_from, model.classification.green_from) == (30.0, 55.0)

    @pytest.mark.parametrize(
        ("dial", "value", "expected"),
        [
            ("green_from", 500, (60.0, 60.1)),
            ("green_from", 1000, (60.0, 100.0)),
            ("yellow_from", 1000, (79.9, 80.0)),
            ("yellow_from", 0, (0.0, 80.0)),
        ],
    )
    def test_a_cut_off_stops_before_the_other(
        self, model: WhatIfModel, dial: str, value: int, expected: tuple[float, float]
    ) -> None:
        model.move(dial, value)
        assert (model.yellow_from, model.green_from) == expected

    @pytest.mark.parametrize(
        ("dial", "value"),
        [("nothing", 1), (AUDIT, -1), (AUDIT, 1001), ("green_from", 1001), ("committee_operation", 5)],
    )
    def test_an_impossible_move_is_refused(self, model: WhatIfModel, dial: str, value: int) -> None:
        model.locked = ("committee_operation",)
        before = model.get_state()
        with pytest.raises((KeyError, ValueError)):
            model.move(dial, value)
        assert model.get_state() == before

    def test_locked_weights_keep_what_is_shown_and_the_last_free_one_cannot_move(
        self, model: WhatIfModel
    ) -> None:
        model.move(AUDIT, 337)
        shown = dict(zip(model.dimensions, model.tenths, strict=True))
        for dimension in model.dimensions[2:]:
            model.lock(dimension)
        model.move(AUDIT, 1000)
        left = 1000 - sum(shown[d] for d in model.dimensions[2:])
        assert model.tenths == (left, 0, *(shown[d] for d in model.dimensions[2:]))
        model.lock(model.dimensions[1])
        assert model.fixed(AUDIT)
        assert not model.fixed("green_from")
        model.lock(model.dimensions[1])
        assert not model.fixed(AUDIT)

    def test_all_on_one_and_back_shares_as_adopted(self, model: WhatIfModel) -> None:
        start = model.tenths
        model.move(AUDIT, 1000)
        assert model.tenths == (1000, 0, 0, 0, 0, 0, 0)
        model.move(AUDIT, start[0])
        assert model.tenths == start
        assert model.is_adopted

    def test_adopted_weights_that_cannot_be_shown_exactly_are_still_the_adopted_ones(self, city: Run) -> None:
        """A sixth is 16.6 % or 16.7 % on screen; opening the screen must not move anyone."""
        model = WhatIfModel(city)
        assert sorted(model.tenths) == [0, 166, 166, 167, 167, 167, 167]
        assert model.is_adopted
        assert not model.changes.changed.any()
        model.move(AUDIT, 200)
        assert not model.is_adopted
        assert sum(model.tenths) == 1000
        model.restore()
        assert model.is_adopted

    def test_a_dimension_without_weight_has_no_history_and_stays_without(self, city: Run) -> None:
        model = WhatIfModel(city)
        last = model.dimensions[-1]
        assert model.fixed(last)
        with pytest.raises(ValueError, match="may not move"):
            model.move(last, 100)
        with pytest.raises(traitlets.TraitError, match="no history"):
            model.shares = (900.0, 0.0, 0.0, 0.0, 0.0, 0.0, 100.0)
        model.move(AUDIT, 0)
        assert model.tenths[-1] == 0
        assert "不能在这里调整" in child(WhatIfView(model), "dials").html

    def test_rows_agree_with_counts_and_say_why(self, model: WhatIfModel, small_run: Run) -> None:
        model.move(AUDIT, 900)
        model.move("green_from", 700)
        totals, counts = model.totals(), model.counts()
        assert totals["all"] == totals["worse"] + totals["better"] == counts["changed"][0] > 0
        assert sum(counts[level.value][0] for level in model.levels) == len(small_run.units)
        assert sum(counts[level.value][1] for level in model.levels) == 0
        rank = {"unknown": 0, "red": 1, "yellow": 2, "green": 3}
        for direction in DIRECTIONS:
            model.direction = direction
            rows = model.rows()
            assert len(rows) == totals[direction]
            steps = [rank[row["proposed_level"]] - rank[row["level"]] for row in rows]
            assert steps == sorted(steps, key=lambda step: step > 0)
            assert all(re.search(r"[少多]扣\d|分界线由|不到0\.1分", row["reason"]) for row in rows)
        model.unit = small_run.units["unit_code"].iloc[0]
        picked = model.picked()
        assert picked is not None
        assert picked["sentence"] == model.changes.explain(model.unit)

    def test_a_run_that_does_not_follow_from_its_history_is_refused(self, small_run: Run) -> None:
        index = small_run.index.assign(level="red")
        with pytest.raises(DataError, match="不能试算"):
            WhatIfModel(replace(small_run, index=index))

    @given(st.data())
    @settings(max_examples=40)
    def test_no_sequence_of_moves_breaks_the_sum_or_the_order(
        self, small_run: Run, data: st.DataObject
    ) -> None:
        model = WhatIfModel(small_run)
        dials = (*model.dimensions, *CUTS)
        for _ in range(data.draw(st.integers(1, 8))):
            if data.draw(st.booleans()):
                model.lock(data.draw(st.sampled_from(model.dimensions)))
            dial = data.draw(st.sampled_from(dials))
            held = dict(zip(model.dimensions, model.tenths, strict=True))
            if model.fixed(dial):
                continue
            model.move(dial, data.draw(st.integers(0, 1000)))
            assert sum(model.tenths) == 1000
            assert min(model.tenths) >= 0
            assert 0 <= model.yellow_from < model.green_from <= 100
            kept = dict(zip(model.dimensions, model.tenths, strict=True))
            assert all(kept[d] == held[d] for d in model.locked)
            assert len(model.level_bytes()) == len(small_run.units)


class TestProposal:
    def test_blockers_go_one_by_one(self, small_run: Run, tmp_path: Path) -> None:
        assert "--proposals" in WhatIfModel(small_run).blockers()[0]
        model = WhatIfModel(small_run, proposals=tmp_path)
        assert [b[:4] for b in model.blockers()] == ["权重和分", "请填写提", "请填写调"]
        model.move("green_from", 850)
        model.set_state({"author": "甲" * 41, "reason": "\x07", "effective_from": dt.date(2020, 1, 1)})
        assert [b[:4] for b in model.blockers()] == ["提出人至", "调整理由", "生效日期"]
        model.set_state({"author": "王敏", "reason": "会商意见", "effective_from": None})
        assert model.blockers() == ("请选择生效日期。",)
        model.effective_from = dt.date(2026, 12, 1)
        assert model.blockers() == ()

    def test_a_proposal_is_a_pack_that_gives_what_the_screen_showed(
        self, city: Run, small_city: Path, tmp_path: Path
    ) -> None:
        """The proof of the screen: run with the written pack and compare every colour and index."""
        model = WhatIfModel(city, proposals=tmp_path)
        model.lock("committee_operation")
        model.move(AUDIT, 415)
        model.move("green_from", 835)
        model.set_state({"author": "王敏", "reason": "会商意见"})
        shown = model.changes.proposed.to_frame()
        pack = model.propose()
        assert pack.parent == tmp_path.resolve()
        assert re.fullmatch(r"proposal-20261031-[0-9a-f]{12}", pack.name)
        proposed = load_parameters(pack)
        assert [round(1000 * d.weight) for d in proposed.framework.dimensions] == list(model.tenths)
        assert proposed.classification.green_from == 83.5
        assert (proposed.framework.author, proposed.framework.reason) == ("王敏", "会商意见")
        index = assess(open_data(small_city), as_of=AS_OF, parameters=proposed).index.set_index("unit_code")
        assert model.changes.changed.sum() > 3
        assert index["level"].tolist() == shown["level"].tolist()
        assert index["to_verify"].tolist() == shown["to_verify"].tolist()
        np.testing.assert_allclose(index["index"], shown["index"], rtol=0, atol=1e-9)

    def test_texts_are_tidied_and_only_moved_parts_change(self, writer: WhatIfModel) -> None:
        pack = load_parameters(writer.propose())
        assert (pack.framework.author, pack.framework.reason) == ("王敏", "今年审计任务 较重")
        assert pack.classification == writer.cuts

    def test_the_same_proposal_is_not_written_twice(self, writer: WhatIfModel, tmp_path: Path) -> None:
        writer.propose()
        with pytest.raises(UsageError, match="已经写出"):
            writer.propose()
        writer.move(AUDIT, 360)
        writer.propose()
        assert len(list(tmp_path.iterdir())) == 2

    def test_names_come_from_date_and_content_alone(self, writer: WhatIfModel) -> None:
        first = writer.target.name
        writer.set_state({"author": "../../etc/甲", "reason": "/tmp/x\\..\\y"})
        second = writer.target
        assert second.name != first
        assert second.parent == writer.proposals
        assert re.fullmatch(r"proposal-20261031-[0-9a-f]{12}", second.name)
        assert writer.propose() == second

    def test_nothing_is_written_outside_the_folder(self, writer: WhatIfModel, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        writer.target.symlink_to(elsewhere / "pack")
        with pytest.raises(UsageError, match="没有写出"):
            writer.propose()
        assert list(elsewhere.iterdir()) == []

    def test_a_folder_gone_since_is_refused(self, small_run: Run, tmp_path: Path) -> None:
        folder = tmp_path / "proposals"
        folder.mkdir()
        model = WhatIfModel(small_run, proposals=folder)
        model.move(AUDIT, 350)
        model.set_state({"author": "王敏", "reason": "会商意见"})
        folder.rmdir()
        with pytest.raises(UsageError, match="没有写出"):
            model.propose()
        assert not folder.exists()


class TestView:
    def test_a_move_changes_map_and_figures_and_the_list_when_at_rest(
        self, view: WhatIfView, model: WhatIfModel
    ) -> None:
        listed = child(view, "changes").html
        press(view, "dials", "move", "green_from 700")
        figures = child(view, "dials").figures
        assert figures["dials"] == [*model.tenths, 600, 700]
        assert figures["counts"] == list(model.counts().values())
        assert view.map.levels == model.level_bytes()
        assert figures["rested"] is False
        assert child(view, "changes").html == listed
        press(view, "dials", "rest")
        assert child(view, "dials").figures["rested"] is True
        assert model.totals()["all"] > 0
        shown = child(view, "changes").html
        assert shown.count('data-action="unit"') == len(model.rows())
        assert model.rows()[0]["reason"] in words(shown)

    def test_every_message_is_answered_even_a_refused_one(self, view: WhatIfView) -> None:
        dials = child(view, "dials")
        for action, value in [
            ("move", "nothing 1"),
            ("move", "x"),
            ("lock", "nothing"),
            ("other", ""),
            ("rest", ""),
            ("restore", ""),
        ]:
            before = dials.figures.get("answer", 0)
            press(view, "dials", action, value)
            assert dials.figures["answer"] == before + 1

    def test_map_and_list_pick_the_same_unit(self, view: WhatIfView, model: WhatIfModel) -> None:
        press(view, "changes", "unit", HOSTILE_CODE)
        assert view.map.selected == model.position == 2
        assert words(model.changes.explain(HOSTILE_CODE)) in words(child(view, "changes").html)
        view.map.set_state({"selected": 4})
        assert model.unit == model.code_at(4)
        press(view, "changes", "unit", "")
        assert view.map.selected == -1

    def test_a_hostile_name_is_text_everywhere(self, view: WhatIfView) -> None:
        press(view, "changes", "unit", HOSTILE_CODE)
        press(view, "dials", "move", "green_from 1000")
        press(view, "dials", "rest")
        shown = child(view, "changes").html
        assert HOSTILE in words(shown)
        for html in (shown, child(view, "dials").html, view.widget._repr_mimebundle_()["text/html"]):
            assert "<img" not in html
        assert HOSTILE in view.map.hover_text

    def test_the_rule_used_is_stated(self, view: WhatIfView) -> None:
        shown = words(child(view, "dials").html)
        assert "现行与试算同一算法" in shown
        assert "转好须超过分界线1分" in shown

    def test_hover_says_that_its_index_is_the_adopted_one(self, view: WhatIfView) -> None:
        lines = json.loads(view.map.hover_text)
        assert all(line[1].startswith("现行：选情指数 ") for line in lines)

    def test_without_leave_to_write_the_button_says_how_to_get_it(self, view: WhatIfView) -> None:
        form = child(view, "proposal")
        button = next(c for c in form.children if isinstance(c, ipywidgets.Button))
        assert button.disabled
        assert "没有写入权限" in words(child(view, "said").html)
        assert not any(isinstance(c, ipywidgets.Text) for c in form.children)

    def test_the_form_writes_a_pack_and_says_where(self, small_run: Run, tmp_path: Path) -> None:
        view = WhatIfView(WhatIfModel(small_run, proposals=tmp_path))
        form = child(view, "proposal")
        author, date, reason, button, _ = form.children
        assert date.value == small_run.as_of
        press(view, "dials", "move", f"{AUDIT} 400")
        press(view, "dials", "rest")
        author.value, reason.value = HOSTILE, "会商意见"
        assert not button.disabled
        date.value = dt.date(2026, 12, 1)
        send(button, "custom", content={"event": "click"})
        (pack,) = tmp_path.iterdir()
        assert pack.name.startswith("proposal-20261201-")
        assert pack.name in words(child(view, "said").html)
        assert button.disabled
        assert load_parameters(pack).framework.author == HOSTILE

    def test_a_hostile_viewer_neither_breaks_nor_writes(self, small_run: Run, tmp_path: Path) -> None:
        """Every synced value of every widget set to nonsense, hidden and disabled buttons pressed."""
        folder = tmp_path / "proposals"
        folder.mkdir()
        for proposals in (None, folder):
            model = WhatIfModel(small_run, proposals=proposals)
            view = WhatIfView(model)
            before, levels, dials = model.get_state(), model.level_bytes(), child(view, "dials")
            tried = 0
            for widget in list(widgets(view.widget)):
                for name in widget.trait_names(sync=True):
                    for value in NONSENSE[:: 5 if isinstance(widget, ipywidgets.Layout) else 1]:
                        send(widget, "update", state={name: value}, buffer_paths=[])
                        tried += 1
                for content in (
                    {"event": "click"},
                    None,
                    [],
                    {"action": 1},
                    {"action": "move", "value": None},
                ):
                    send(widget, "custom", content=content)
            may_be_set = {name: before[name] for name in ("author", "reason", "effective_from", "unit")}
            assert {**model.get_state(), **may_be_set} == before
            assert model.level_bytes() == levels == view.map.levels
            assert tried > 1000
            assert list(tmp_path.rglob("*")) == [folder]
            send(dials, "custom", content={"action": "move", "value": "green_from 700"})
            assert view.map.levels == model.level_bytes() != levels

    def test_a_defect_shows_a_number_and_the_sliders_go_on(
        self, view: WhatIfView, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(WhatIfModel, "rows", lambda _: 1 / 0)
        press(view, "dials", "move", f"{AUDIT} 500")
        press(view, "dials", "rest")
        assert "错误编号" in words(child(view, "changes").html)
        monkeypatch.undo()
        press(view, "dials", "rest")
        assert "谁会变色" in words(child(view, "changes").html)


class TestDoor:
    def test_opens_the_run_and_the_folder_named_by_the_environment(
        self, small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUANJIE_RUN", str(small_run.path))
        monkeypatch.setenv("HUANJIE_PROPOSALS", "")
        shut = open_what_if()
        assert "hj-what-if" in shut._dom_classes
        monkeypatch.setenv("HUANJIE_PROPOSALS", str(tmp_path))
        opened = open_what_if()
        assert [len(list(widgets(screen))) for screen in (shut, opened)] == [23, 32]

    def test_a_missing_folder_gives_the_remedy(
        self, small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUANJIE_PROPOSALS", str(tmp_path / "gone"))
        shown = open_what_if(small_run.path)
        assert isinstance(shown, Panel)
        assert "用 huanjie serve --proposals 重新打开" in words(shown.html)

    def test_the_notebook_shows_it(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUANJIE_RUN", str(small_run.path))
        book = nbformat.read(notebook_path("what_if"), as_version=4)
        assert [cell.cell_type for cell in book.cells] == ["markdown", "code", "code", "code"]
        assert all(not cell.get("outputs") for cell in book.cells)
        nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
        (shown,) = book.cells[-1].outputs
        assert "application/vnd.jupyter.widget-view+json" in shown["data"]
        assert "财务审计" in shown["data"]["text/html"]
        assert all(f"hj-level-{level.value}" in shown["data"]["text/html"] for level in Level)
