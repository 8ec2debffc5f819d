"""A sheet can be every table that is returned, with every metric of the pack."""

from __future__ import annotations

from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import ParameterSet
from tests.intake.sheets.made import FILING, READER, A, facts, grid


def test_default_reader_knows_every_metric(parameters: ParameterSet) -> None:
    metrics = parameters.framework.metrics
    sheet = grid(
        [FILING, ["统计用区划代码", *(m.label for m in metrics.values())], [A, *([3] * len(metrics))]]
    )
    assert [f[2] for f in facts(READER.read(sheet, name="基本情况"))] == list(metrics)


def test_every_returned_table_is_known_by_its_headings() -> None:
    for name, table in TABLES.items():
        if name in {"identities", "cases", "case_events", "runs", "access_log"}:
            continue
        heads = [c.label for c in table.columns if c.kind != "geometry"]
        reading = READER.read(grid([heads, ["x"] * len(heads)]), name="Sheet1")
        assert [b.table.name for b in reading.batches] == [name]
