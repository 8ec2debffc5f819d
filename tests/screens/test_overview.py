"""The overview without a browser: what it knows, what it shows, what it refuses, how it fails."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbclient
import nbformat
import pandas as pd
import pytest
import traitlets

from huanjie_lib.screens import open_overview, overview
from huanjie_lib.screens.overview import GROUPS, ORDERS, TABS, OverviewModel, OverviewView
from huanjie_lib.screens.panel import Panel
from huanjie_lib.screens.serve import notebook_path
from huanjie_lib.screens.site import Site
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import Level

HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_CODE = "990101101202"
RED_CODE = "990102001201"


@pytest.fixture
def model(small_run: Run) -> OverviewModel:
    return OverviewModel(small_run)


@pytest.fixture
def view(model: OverviewModel) -> OverviewView:
    return OverviewView(model)


def panels(view: OverviewView) -> dict[str, Panel]:
    """Return the panels of a screen by name."""
    found = [child for child in view.widget.children if isinstance(child, Panel)]
    return {panel._dom_classes[0].removeprefix("hj-"): panel for panel in found}


def press(view: OverviewView, panel: str, action: str, value: str = "") -> None:
    """Send what the browser sends when a button is pressed."""
    content = {"action": action, "value": value}
    panels(view)[panel]._handle_msg(
        {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
    )


def figures(html: str) -> dict[str, str]:
    """Return the figures of a panel by their ``data-figure``."""
    return dict(re.findall(r'data-figure="(\w+)">([^<]*)<', html))


def active_content(html: str) -> list[str]:
    """Return the elements and attributes of a panel that could act on their own."""
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend([tag] if tag in {"img", "script", "iframe", "object", "embed", "link", "a"} else [])
            found.extend(name for name, _ in attrs if name.startswith("on") or name in {"src", "href"})

    Parser().feed(html)
    return found


def words(html: str) -> str:
    """Return the text of a panel on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


class TestModel:
    def test_opens_on_the_picture_with_nothing_chosen(self, model: OverviewModel) -> None:
        assert model.get_state() == {
            "tab": "picture",
            "order": "risk",
            "group": "",
            "township": "",
            "unit": "",
            "section": "losses",
            "query": "",
            "as_of": "",
        }
        assert (model.listing(), model.matches(), model.profile(), model.position) == (None, None, None, -1)

    def test_state_goes_out_and_in_and_back_to_the_start(self, model: OverviewModel) -> None:
        start = model.get_state()
        chosen = {"tab": "league", "order": "red", "township": "990101101", "unit": RED_CODE, "query": "云"}
        model.set_state(chosen)
        state = model.get_state()
        assert state == {**start, **chosen}
        model.reset()
        assert model.get_state() == start
        model.set_state(state)
        assert model.get_state() == state

    @pytest.mark.parametrize(
        "wrong",
        [
            {"unit": "000000000000"},
            {"unit": HOSTILE},
            {"township": "990101999"},
            {"tab": "talent"},
            {"group": "purple"},
            {"order": "__class__"},
            {"section": ""},
            {"run": "x"},
            {"unit": None},
        ],
    )
    def test_what_the_run_does_not_have_is_refused_whole(self, model: OverviewModel, wrong: dict) -> None:
        before = model.get_state()
        with pytest.raises(traitlets.TraitError):
            model.set_state({"tab": "gates", "query": "云", **wrong})
        assert model.get_state() == before

    def test_every_unit_has_its_place(self, model: OverviewModel, small_run: Run) -> None:
        for position, code in enumerate(small_run.units["unit_code"]):
            model.unit = code
            assert model.position == position
            assert model.code_at(position) == code
        assert model.code_at(-1) == ""

    @pytest.mark.parametrize("group", GROUPS)
    def test_a_group_lists_just_its_units(self, model: OverviewModel, small_run: Run, group: str) -> None:
        index = small_run.index
        if group == "to_verify":
            expected = set(index.loc[index["to_verify"], "unit_code"])
        elif group == "contested":
            doubts = small_run.uncertainty
            expected = set(doubts.loc[doubts["contested"], "unit_code"])
            assert expected
        elif group == "admitted":
            failing = small_run.gates.loc[small_run.gates["status"] != "pass", "unit_code"]
            expected = set(index["unit_code"]) - set(failing)
        else:
            expected = set(index.loc[index["level"] == group, "unit_code"])
        model.group = group
        listing = model.listing()
        assert listing is not None
        assert {row["unit_code"] for row in listing.rows} == expected
        assert listing.total == len(expected)

    def test_a_township_lists_its_units_worst_first(self, model: OverviewModel) -> None:
        model.township = "990101101"
        listing = model.listing()
        assert listing is not None
        assert listing.title == "云溪镇"
        assert {row["unit_code"][:9] for row in listing.rows} == {"990101101"}
        rank = {"red": 0, "yellow": 1, "green": 2, "unknown": 3}
        places = [(rank[row["level"]], row["index"]) for row in listing.rows]
        assert places == sorted(places)
        assert len(places) == 4

    def test_a_long_list_says_how_long_it_is(
        self, model: OverviewModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(overview, "LISTED", 2)
        model.township = "990101101"
        listing = model.listing()
        assert listing is not None
        assert (len(listing.rows), listing.total) == (2, 4)

    def test_orders_put_different_townships_first(self, model: OverviewModel) -> None:
        key = {
            "risk": lambda row: row["mean_index"],
            "red": lambda row: -row["red"],
            "admitted": lambda row: row["admitted_share"],
        }
        for order in ORDERS:
            model.order = order
            rows = model.league()
            assert len(rows) == 3
            assert [key[order](row) for row in rows] == sorted(key[order](row) for row in rows)

    @pytest.mark.parametrize(
        ("query", "codes"),
        [
            ("上云", {"990101101201"}),
            ("  上云 ", {"990101101201"}),
            ("桥村", {"990101102201", "990101102202"}),
            ("990101102", {"990101102201", "990101102202", "990101102203"}),
            ("101102", set()),
            ("=1+1", {"990101101203"}),
            ("<img", {HOSTILE_CODE}),
            (".*", set()),
            ("(((", set()),
            ("__import__('os')", set()),
        ],
    )
    def test_search_takes_text_as_text(self, model: OverviewModel, query: str, codes: set[str]) -> None:
        model.query = query
        found = model.matches()
        assert found is not None
        assert {row["unit_code"] for row in found.rows} == codes
        assert found.total == len(codes)

    def test_blank_search_finds_nothing_and_says_nothing(self, model: OverviewModel) -> None:
        model.query = "   "
        assert model.matches() is None


class TestView:
    def test_figures_equal_the_tables(self, view: OverviewView, small_run: Run) -> None:
        index = small_run.index
        counts = index["level"].value_counts()
        shown = figures(panels(view)["tiles"].html)
        for level in ("red", "yellow", "green"):
            assert shown[level] == str(counts[level])
        assert shown["to_verify"] == str(index["to_verify"].sum())
        assert shown["mean"] == number_text(index["index"].mean())
        failing = small_run.gates.loc[small_run.gates["status"] != "pass", "unit_code"].nunique()
        assert shown["admitted"] == str(len(index) - failing)

    def test_head_says_date_and_how_much_was_reported(self, view: OverviewView, small_run: Run) -> None:
        head = words(panels(view)["head"].html)
        assert "数据截至 2026年10月31日" in head
        assert "报送率最低 58.3%" in head
        press(view, "head", "tab", "freshness")
        side = words(panels(view)["side"].html)
        assert small_run.parameters.version in side
        assert f"{len(small_run.manifest['inputs'])} 个，校验值见" in side

    def test_a_snapshot_says_that_names_of_files_are_not_in_it(self, small_run: Run) -> None:
        published = replace(small_run, manifest=dict(small_run.manifest) | {"inputs": []})
        view = OverviewView(OverviewModel(published))
        press(view, "head", "tab", "freshness")
        assert "输入文件 不在这份快照里" in words(panels(view)["side"].html)

    def test_an_earlier_snapshot_gives_its_own_colours_and_counts(
        self, view: OverviewView, small_run: Run
    ) -> None:
        newest, tiles = view.map.levels, panels(view)["tiles"].html
        press(view, "side", "as_of", "2026-09-30")
        history = small_run.history
        then = history[history["as_of"] == "2026-09-30"].set_index("unit_code")
        levels = then["level"].reindex(small_run.units["unit_code"])
        assert [byte & 3 for byte in view.map.levels] == [Level(level).code for level in levels]
        assert f">{(levels == 'red').sum()}<" in panels(view)["tiles"].html
        press(view, "tiles", "group", "red")
        listing = view.model.listing()
        assert listing is not None
        assert {row["unit_code"] for row in listing.rows} == set(then.index[then["level"] == "red"])
        assert [row["index"] for row in listing.rows] == sorted(then.loc[then["level"] == "red", "index"])
        assert "2026年9月30日" in words(panels(view)["side"].html)
        press(view, "side", "as_of", "")
        press(view, "side", "home")
        assert (view.map.levels, panels(view)["tiles"].html) == (newest, tiles)

    def test_a_link_opens_what_it_names_and_what_is_wrong_is_told(self, view: OverviewView) -> None:
        view.linked.follow(f"unit={RED_CODE}&township=990101102&as_of=2026-09-30")
        assert (view.model.unit, view.model.township, view.model.as_of) == (
            RED_CODE,
            "990101102",
            "2026-09-30",
        )
        assert view.linked.fragment == f"unit={RED_CODE}&township=990101102&as_of=2026-09-30"
        assert view.linked.notice.html == ""
        view.linked.follow("unit=000000000000&tab=league&as_of=2020-01-01&x=1")
        assert (view.model.unit, view.model.township, view.model.tab) == ("", "", "league")
        told = words(view.linked.notice.html)
        for part in ("村（社区）“000000000000”", "没有“2020-01-01”这一天的快照", "“x”不能识别"):
            assert part in told

    def test_a_profile_leads_to_the_other_screens_of_the_viewer(self, small_run: Run) -> None:
        view = OverviewView(OverviewModel(small_run), Site({"casework": "https://town.example"}))
        press(view, "matches", "unit", RED_CODE)
        html = panels(view)["side"].html
        assert f'href="https://town.example/#unit={RED_CODE}&amp;as_of=2026-10-31"' in html
        assert html.count("<a href") == 1

    @pytest.mark.parametrize("tab", TABS)
    def test_every_tab_says_something(self, view: OverviewView, tab: str) -> None:
        press(view, "side", "tab", tab)
        html = panels(view)["side"].html
        assert len(words(html)) > 100
        assert html.count('aria-selected="true"') == 1
        assert f'id="hj-tab-{tab}" aria-selected="true"' in html

    def test_profile_equals_the_tables(self, view: OverviewView, small_run: Run) -> None:
        press(view, "matches", "unit", RED_CODE)
        html = panels(view)["side"].html
        unit = small_run.index.set_index("unit_code").loc[RED_CODE]
        assert figures(html)["index"] == number_text(unit["index"])
        low, high = number_text(unit["index_low"]), number_text(unit["index_high"])
        assert low == high or figures(html)["range"] == f"{low}～{high}"
        lost = small_run.points_lost
        lost = lost[(lost["unit_code"] == RED_CODE) & (lost["points"] >= 0.05)]
        told = {row.indicator: number_text(row.points) for row in lost.itertuples()}
        shown = dict(re.findall(r'data-loss="(\w+)">([^<]*)<', html))
        assert shown == told
        assert "returns/990102001.xlsx" in html
        press(view, "side", "section", "gates")
        assert small_run.parameters.gates is not None
        for gate in small_run.parameters.gates.gates:
            assert gate.label in words(panels(view)["side"].html)

    def test_map_and_profile_open_each_other(self, view: OverviewView, model: OverviewModel) -> None:
        view.map.set_state({"selected": 4})
        assert model.unit == model.code_at(4)
        assert "石桥村" in panels(view)["side"].html
        press(view, "side", "home")
        assert view.map.selected == -1
        press(view, "matches", "unit", HOSTILE_CODE)
        assert view.map.selected == model.position == 2
        view.map.set_state({"selected": -1})
        assert model.unit == ""

    def test_back_leads_to_where_one_came_from(self, view: OverviewView, model: OverviewModel) -> None:
        press(view, "side", "tab", "league")
        press(view, "side", "township", "990101102")
        press(view, "side", "unit", "990101102201")
        assert "返回石桥镇" in words(panels(view)["side"].html)
        press(view, "side", "back")
        assert (model.township, model.unit) == ("990101102", "")
        press(view, "side", "home")
        assert model.get_state()["tab"] == "league"
        assert (model.township, model.unit) == ("", "")

    def test_a_hostile_name_is_text_everywhere(self, view: OverviewView) -> None:
        steps = [
            *(("side", "tab", tab) for tab in TABS),
            ("side", "township", "990101101"),
            ("side", "unit", HOSTILE_CODE),
            ("side", "section", "gates"),
            ("search", "search", "<img"),
            ("search", "search", HOSTILE),
            ("search", "search", f"{HOSTILE}没有"),
            *(("tiles", "group", group) for group in GROUPS),
        ]
        seen = 0
        for step in steps:
            press(view, *step)
            for panel in panels(view).values():
                assert active_content(panel.html) == [], step
                seen += HOSTILE in words(panel.html)
        assert seen > 10

    def test_the_check_for_active_content_sees_it(self) -> None:
        assert active_content(f"<p>{HOSTILE}</p>") == ["img", "src", "onerror"]

    def test_messages_the_model_refuses_change_nothing(
        self, view: OverviewView, model: OverviewModel, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = (model.get_state(), {name: panel.html for name, panel in panels(view).items()})
        for action, value in [
            ("unit", "000000000000"),
            ("tab", "x"),
            ("__init__", ""),
            ("township", HOSTILE),
            ("order", ""),
        ]:
            press(view, "side", action, value)
        assert before == (model.get_state(), {name: panel.html for name, panel in panels(view).items()})
        assert len(caplog.records) == 5

    def test_a_defect_shows_a_number_and_logs_the_rest(
        self, view: OverviewView, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("内部细节")

        monkeypatch.setattr(OverviewModel, "profile", broken)
        press(view, "side", "unit", RED_CODE)
        shown = words(panels(view)["side"].html)
        number = re.search(r"错误编号：([0-9a-f]{8})", shown)
        assert number
        assert "内部细节" not in shown
        assert number[1] in caplog.text
        assert "内部细节" in caplog.text
        monkeypatch.undo()
        press(view, "side", "unit", "")
        press(view, "side", "tab", "league")
        assert "云溪镇" in words(panels(view)["side"].html)

    def test_a_run_without_gates_has_no_admission(self, small_run: Run) -> None:
        parameters = small_run.parameters.model_copy(update={"gates": None})
        view = OverviewView(OverviewModel(replace(small_run, parameters=parameters)))
        assert "admitted" not in figures(panels(view)["tiles"].html)
        press(view, "side", "tab", "gates")
        assert "没有设置准入条件" in words(panels(view)["side"].html)
        press(view, "side", "unit", RED_CODE)
        assert "启动换届" not in words(panels(view)["side"].html)

    def test_a_first_run_has_no_change(self, small_run: Run) -> None:
        last = small_run.history["as_of"] == pd.Timestamp(small_run.as_of)
        view = OverviewView(OverviewModel(replace(small_run, history=small_run.history[last])))
        assert "较上期" not in words(panels(view)["tiles"].html)
        for tab in TABS:
            press(view, "side", "tab", tab)
            assert "错误编号" not in panels(view)["side"].html

    def test_preview_shows_what_the_panels_show(self, view: OverviewView) -> None:
        bundle = view.widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        preview = bundle["text/html"]
        for panel in ("head", "tiles", "side"):
            assert panels(view)[panel].html in preview
        assert active_content(preview) == []

    def test_map_carries_every_unit(self, view: OverviewView, small_run: Run) -> None:
        assert view.map.levels == tables.level_bytes(small_run)
        assert HOSTILE in view.map.hover_text


class TestDoor:
    def test_opens_the_run_named_by_the_environment(
        self, small_run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUANJIE_RUN", str(small_run.path))
        assert "hj-overview" in open_overview()._dom_classes

    def test_no_folder_named_gives_the_remedy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HUANJIE_RUN", raising=False)
        shown = words(open_overview().html)
        assert "没有指定评估文件夹" in shown
        assert "huanjie serve --run" in shown

    def test_a_wrong_folder_gives_the_remedy(self, tmp_path: Path) -> None:
        shown = words(open_overview(tmp_path).html)
        assert "不是一个评估文件夹" in shown
        assert "先运行 huanjie run" in shown

    def test_a_damaged_table_gives_a_number_and_no_traceback(
        self, small_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert small_run.path is not None
        for path in small_run.path.glob("*.*"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "history.parquet").write_bytes(b"PAR1 damaged")
        shown = words(open_overview(tmp_path).html)
        number = re.search(r"错误编号：([0-9a-f]{8})", shown)
        assert number
        assert "Traceback" not in shown
        assert number[1] in caplog.text

    def test_the_notebook_shows_it(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUANJIE_RUN", str(small_run.path))
        book = nbformat.read(notebook_path("overview"), as_version=4)
        nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
        (shown,) = book.cells[-1].outputs
        assert "application/vnd.jupyter.widget-view+json" in shown["data"]
        assert "总体态势" in shown["data"]["text/html"]
        assert all(cell.outputs == [] for cell in book.cells[1:-1])

    def test_log_goes_to_the_server(self, small_run: Run) -> None:
        open_overview(small_run.path)
        open_overview(small_run.path)
        handlers = logging.getLogger("huanjie_lib").handlers
        assert [h.stream for h in handlers if isinstance(h, logging.StreamHandler)] == [sys.__stderr__]

    def test_a_kernel_stays_lean(self, small_run: Run) -> None:
        code = (
            "import sys; from pathlib import Path; from huanjie_lib.screens import open_overview\n"
            f"assert 'hj-overview' in open_overview(Path({str(small_run.path)!r}))._dom_classes\n"
            "print(*{name.partition('.')[0] for name in sys.modules})"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        heavy = {
            "geopandas",
            "pyproj",
            "folium",
            "matplotlib",
            "sklearn",
            "scipy",
            "polars",
            "jupyterlab",
            "voila",
        }
        assert "huanjie_lib" in done.stdout.split()
        assert heavy & set(done.stdout.split()) == set()
