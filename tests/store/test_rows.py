from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa

from huanjie_lib.casework.cases import CASE_COLUMNS
from huanjie_lib.store import schema
from huanjie_lib.store.rows import case_of, case_row, frame_of, run_body, run_content
from tests.offices import history, life

LIFE = list(life())


@pytest.mark.parametrize("steps", range(1, len(LIFE) + 1))
def test_a_case_comes_back_from_its_row(steps: int) -> None:
    case = history(LIFE[:steps])
    row = case_row(case)
    assert case_of(row) == case
    assert list(row) == list(CASE_COLUMNS) == schema.cases.columns.keys()
    assert all(value is None or isinstance(value, str | int) for value in row.values())


def test_a_frame_keeps_what_the_database_gave() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        frame = frame_of(connection.execute(sa.text("SELECT 1 AS a, NULL AS b, 'x' AS c")), ("a", "b", "c"))
        empty = frame_of(connection.execute(sa.text("SELECT 1 WHERE 0")), ("a",))
    assert frame.to_dict("records") == [{"a": 1, "b": None, "c": "x"}]
    assert empty.shape == (0, 1)


def test_the_content_of_a_run_is_the_text_written_down_here() -> None:
    units = '[["1",55.5,"red"],["2",null,"x"]]'
    text = f'{{"as_of":"2026-10-31","causes":["a"],"parameter_version":"p","units":{units}}}'
    found = run_content("2026-10-31", "p", [("1", 55.5, "red"), ("2", None, "x")], ["a"])
    assert found == hashlib.sha256(text.encode()).hexdigest()


def test_the_body_of_a_run_covers_every_column_but_its_place_and_links() -> None:
    row = {name: name for name in schema.runs.columns.keys()}  # noqa: SIM118 - names, not columns
    body = run_body(row)
    assert {name for name in row if f'"{name}":"{name}"' in body} == set(row) - {
        "number",
        "previous_hash",
        "hash",
    }
