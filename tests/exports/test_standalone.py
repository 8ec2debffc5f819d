"""The page that works from a memory stick: what lies in it is the run's, and nothing in it can ask or run."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.exports.standalone import BLOCKS, standalone_page, unpack
from huanjie_lib.risk.rescoring import dimension_losses
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.fonts import missing_glyphs
from huanjie_lib.views.geometry import decode_geometry
from huanjie_lib.views.meeting import Meeting, meeting_of
from huanjie_lib.views.tables import gate_table, level_bytes, losses_table, unit_table
from huanjie_lib.views.words import number_text
from huanjie_lib.vocabulary import GateStatus, Level

MARK = "内部资料，注意保管　市换届办 chen（市换届办）2026年11月2日导出，用于<会议>"


@pytest.fixture(scope="module")
def meeting(small_run: Run) -> Meeting:
    return meeting_of(small_run)


@pytest.fixture(scope="module")
def page(small_run: Run, meeting: Meeting) -> str:
    return standalone_page(meeting, small_run, mark=MARK)


def shown(page: str) -> str:
    """Return the words of the page without its tags, styles and programs."""
    bare = re.sub(r"<(script|style|svg).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", bare))


def test_figures_of_the_units_are_those_of_the_run(page: str, small_run: Run) -> None:
    units = unpack(page)["data"]["units"]
    told = unit_table(small_run)
    assert units["code"] == told["unit_code"].tolist()
    assert units["name"] == told["unit_name"].tolist()
    for name in ("index", "index_low", "index_high", "change"):
        found = pd.Series(units[name], dtype="float64")
        pd.testing.assert_series_equal(found, told[name], check_names=False, check_exact=True)
    assert bytes(units["level"]) == level_bytes(small_run)
    assert units["admission"] == told["admission"].tolist()


def test_points_reasons_and_verdicts_are_those_of_the_run(page: str, small_run: Run) -> None:
    data = unpack(page)["data"]
    texts, units = data["texts"], data["units"]
    losses = losses_table(small_run)
    losses = losses[losses["points"] >= 0.05]
    found = [
        (
            code,
            data["indicators"][row[0]]["label"],
            row[1],
            texts[row[4]],
            f"{texts[row[5]]}，第{row[6]}行" if row[6] else "",
        )
        for code, rows in zip(units["code"], units["losses"], strict=True)
        for row in rows
    ]
    told = losses[["unit_code", "indicator", "points", "reason", "source"]].itertuples(index=False, name=None)
    assert found == list(told)
    for code, lost, index in zip(units["code"], units["lost"], units["index"], strict=True):
        assert sum(lost) == pytest.approx(100 - index, abs=1e-9), code
    gates = gate_table(small_run)
    statuses = [status.value for status in GateStatus]
    verdicts = [
        (code, data["gates"][place]["label"], statuses[status], texts[reason])
        for code, rows in zip(units["code"], units["verdicts"], strict=True)
        for place, (status, reason) in enumerate(rows)
    ]
    assert verdicts == list(
        gates[["unit_code", "label", "status", "reason"]].itertuples(index=False, name=None)
    )
    assert sum(map(len, units["readings"])) == len(small_run.readings)


def test_losses_and_boundaries_are_those_of_the_run(page: str, small_run: Run) -> None:
    blocks = unpack(page)
    kinds = small_run.units.set_index("unit_code")["unit_kind"]
    losses = dimension_losses(small_run.indicators, small_run.history, kinds, small_run.parameters.framework)
    found = np.frombuffer(blocks["losses"], "<f8").reshape(7, len(kinds), len(losses.past) + 3)
    for step, past in enumerate(losses.past):
        np.testing.assert_array_equal(found[:, :, step].T, past)
    for step, table in ((-3, losses.current), (-2, losses.worst), (-1, losses.best)):
        np.testing.assert_array_equal(found[:, :, step].T, table)
    scored = np.frombuffer(blocks["scored"], np.uint8).reshape(len(kinds), -1).T
    np.testing.assert_array_equal(scored, [*losses.past_scored, losses.scored])
    drawn = decode_geometry(blocks["shapes"])
    assert [shape.geom_type for shape in drawn] == ["Polygon"] * 11 + ["Point"]
    assert len(decode_geometry(blocks["outlines"])) == 3


def test_the_head_the_league_and_the_gates_stand_in_the_page_itself(page: str, meeting: Meeting) -> None:
    words = shown(page)
    assert meeting.title in words
    for sentence in meeting.overview.picture:
        assert sentence in words
    for item in meeting.overview.levels:
        assert f'data-figure="{item.level.value}">{item.count}<' in page
    for row in meeting.league.to_dict("records"):
        assert f"{row['township_name']} {row['county_name']} {number_text(row['mean_index'])}" in words
        assert f'data-value="{row["mean_index"]}"' in page
    for row in meeting.gates.to_dict("records"):
        told = f"通过 {row['passed']} 不通过 {row['failed']} 待核实 {row['unknown']}"
        assert f"{row['gate']} {100 * row['share']:.1f}% {told}" in words
    for gap in meeting.gaps:
        assert gap in words


def test_nothing_of_a_name_or_a_mark_is_markup(page: str) -> None:
    assert "<img" not in page
    assert "用于&lt;会议&gt;" in page
    assert page.count("<script") == len(BLOCKS) + 1


def test_the_policy_allows_the_pages_own_program_and_no_request(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    program = page.rpartition('<script type="module">')[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest}'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "font-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    addresses = set(
        re.findall(
            r"""(?:https?:|wss?:)?//[\w.-]+\.[a-z]{2,}""", re.sub(r">[A-Za-z0-9+/=]{99,}<", "><", page)
        )
    )
    assert addresses <= {"http://www.w3.org"}
    assert not re.search(r"<link|<iframe|<object|@import|\bon\w+=\"", page)


def test_the_licences_of_what_is_bundled_go_with_it(page: str) -> None:
    for name in ("leaflet 1.9.4 (BSD-2-Clause)", "polylabel 2.1.0 (ISC)"):
        assert name in shown(page)


def test_equal_meetings_give_equal_pages(page: str, small_run: Run, meeting: Meeting) -> None:
    assert standalone_page(meeting, small_run, mark=MARK) == page


def test_every_character_shown_is_in_a_font_of_the_page(page: str) -> None:
    texts = "".join(unpack(page)["data"]["texts"]) + shown(page)
    assert missing_glyphs(texts) == set()
    assert page.count("@font-face") == 2


def test_a_township_sees_its_own_units(small_run: Run) -> None:
    page = standalone_page(meeting_of(small_run, township="990101102"), small_run, mark="")
    assert unpack(page)["data"]["units"]["name"] == ["石桥村", "下桥村", "柳湾村"]
    assert "上云村" not in page
    assert "石桥镇村（社区）“两委”换届选情汇报" in page


def test_what_a_run_does_not_have_is_said(small_run: Run) -> None:
    """Its history gives other colours than its index has, and its pack has no gates."""
    odd = dataclasses.replace(
        small_run,
        index=small_run.index.assign(level=Level.GREEN.value),
        parameters=small_run.parameters.model_copy(update={"gates": None}),
        gates=small_run.gates.iloc[:0],
    )
    page = standalone_page(meeting_of(odd), odd, mark="")
    assert unpack(page)["losses"] == b""
    assert 'data-dial="' not in page
    assert "不能试算" in shown(page)
    assert "所用参数包没有设置准入条件，不产生准入清单。" in shown(page)
    assert set(unpack(page)["data"]["units"]["admission"]) == {None}


def test_another_page_is_refused() -> None:
    with pytest.raises(ValueError, match="not a standalone page"):
        unpack("<html></html>")
