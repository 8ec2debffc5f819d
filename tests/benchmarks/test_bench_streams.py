"""The benchmark of all streams finds every fact of every city, and tells of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks import bench_streams as bench


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_every_fact_of_every_city_is_found_and_a_wrong_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "UNITS", 60)
    monkeypatch.setattr(bench, "SNAPSHOTS", 3)
    made = bench.make(10_000, tmp_path)
    cities = [path.name for path in sorted((tmp_path / "lead_events").iterdir())]
    assert cities == [f"city={bench.FIRST_CITY + n}" for n in range(len(cities))]
    assert len(cities) > 1
    found = bench.aggregate(tmp_path)
    assert found["events"] == made
    assert found["cpu"] > 0

    wanted = pd.read_parquet(tmp_path / bench.WANTED)
    with pytest.raises(AssertionError, match="facts differ"):
        bench.assert_facts(tmp_path / "data", wanted.assign(value=wanted["value"] + 1))
    path = tmp_path / "data" / "tables" / "facts.events.parquet"
    facts = pq.read_table(path).to_pandas()
    last = facts["unit_code"].str.startswith(str(bench.FIRST_CITY + 1))
    facts.loc[last, "value"] += 1
    with pq.ParquetWriter(path, pq.read_schema(path)) as writer:
        for _, county in facts.groupby(facts["unit_code"].str.slice(0, 6)):
            writer.write_table(bench.pa.Table.from_pandas(county, writer.schema, preserve_index=False))
    with pytest.raises(AssertionError, match="of 1001 differs"):
        bench.assert_facts(tmp_path / "data", wanted)
