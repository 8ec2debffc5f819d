"""All four event streams at growing sizes: the whole of ``huanjie events``, held against cities' own facts.

``python -m benchmarks.bench_streams --events 1e5 1e7`` writes petitions, work orders, leads and changes of
the roll of as many synthetic cities as it takes, with what goes wrong in them (of
:mod:`huanjie_lib.sample.events`: earlier editions, events sent twice, old codes), aggregates them on DuckDB
in a process of its own, and holds every fact of every city against what the city has in its tables. Cities
are one city under other codes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from benchmarks.bench_events import ENGINE
from benchmarks.bench_partitions import moved
from benchmarks.measuring import Found, forget_peak, peak_mb, timed
from huanjie_lib.events.monthly import METRICS
from huanjie_lib.sample import make_city
from huanjie_lib.sample.events import make_events

UNITS, SNAPSHOTS, FIRST_CITY = 300, 24, 1000
IDS = ("event_id", "petition_id")
WANTED = "wanted.parquet"
KEY = ["unit_code", "as_of", "metric"]


def make(events: int, folder: Path) -> int:
    """Write about so many events, the units of their cities, and the facts that a city should have."""
    city = make_city(units=UNITS, people=100, snapshots=SNAPSHOTS)
    streams, declared = make_events(city)
    tables = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in streams.items()}
    each = sum(map(len, streams.values()))
    cities = max(round(events / each), 1)
    for number in range(cities):
        code = str(FIRST_CITY + number)
        for name, table in tables.items():
            path = folder / name / f"city={code}" / "part-0.parquet"
            path.parent.mkdir(parents=True)
            pq.write_table(_of_city(table, code), path, compression="zstd")
    whole = {
        name: [area for area in areas if "area" not in area] for name, areas in declared["coverage"].items()
    }
    (folder / "events.yaml").write_text(yaml.safe_dump({**declared, "coverage": whole}), encoding="utf-8")
    (folder / "data" / "tables").mkdir(parents=True)
    for name in ("units", "crosswalk"):
        own = pa.Table.from_pandas(city.tables[name], preserve_index=False)
        every = [moved(own, str(FIRST_CITY + number)) for number in range(cities)]
        pq.write_table(pa.concat_tables(every), folder / "data" / "tables" / f"{name}.parquet")
    facts = city.tables["facts"]
    facts[facts["metric"].isin(METRICS)].to_parquet(folder / WANTED, index=False)
    return cities * each


def _of_city(events: pa.Table, code: str) -> pa.Table:
    """Return the events with codes and numbers of another city."""
    events = moved(events, code)
    for name in set(IDS) & set(events.column_names):
        place = events.column_names.index(name)
        numbers = pc.binary_join_element_wise(code, events[name].cast(pa.string()), "-")
        events = events.set_column(place, name, numbers)
    return events


def aggregate(folder: Path) -> dict[str, float]:
    """Run the command in this process, hold what it wrote against the cities, and return what it took."""
    from huanjie_lib.cli import cli

    data = folder / "data"
    asked = ["events", "--events", str(folder), "--data", str(data), "--engine", ENGINE]
    forget_peak()
    _, cpu, wall = timed(lambda: cli.main(asked, standalone_mode=False))
    peak = peak_mb()
    assert_facts(data, pd.read_parquet(folder / WANTED))
    account = pd.read_csv(data / "events" / "account.csv")
    assert len(account) == 4
    assert (account["counted"] > 0).all()
    assert (account["repeated"] > 0).all()
    return {"events": int(account["read"].sum()), "cpu": cpu, "wall": wall, "peak": peak}


def assert_facts(data: Path, wanted: pd.DataFrame) -> None:
    """Hold each county against the first city's of the same code, and that one against the city's facts."""
    held: dict[str, pa.Table] = {}
    facts = pq.ParquetFile(data / "tables" / "facts.events.parquet")
    for number in range(facts.num_row_groups):
        found = facts.read_row_group(number)
        city, county = found["unit_code"][0].as_py()[:4], found["unit_code"][0].as_py()[4:6]
        if county in held:
            assert moved(found, str(FIRST_CITY)).equals(held[county]), f"county {county} of {city} differs"
            continue
        held[county] = moved(found, str(FIRST_CITY))  # the same types
        frame = found.to_pandas().assign(unit_code=lambda f: f["unit_code"].str.slice(4))
        own = wanted.assign(unit_code=wanted["unit_code"].str.slice(4))
        own = own[own["unit_code"].str.startswith(county)]
        both = own.merge(frame, on=KEY, how="left", suffixes=("", "_found"))
        wrong = both[both["value"].ne(both["value_found"])]
        assert wrong.empty, f"county {county}: {len(wrong)} of {len(own)} facts differ"
    counties = set(wanted["unit_code"].str.slice(4, 6))
    assert set(held) == counties, f"counties {sorted(counties - set(held))} have no facts"


def measured(events: int) -> dict[str, Any]:
    """Return what the command takes for about so many events, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="huanjie-streams-") as folder:
        make(events, Path(folder))
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bench_streams", "--one", folder]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def whole(events: int) -> Found:
    """Measure the whole command on all four streams."""
    found = measured(events)
    return Found(found["cpu"], found["cpu"], found["wall"], space=found["peak"], peak_mb=found["peak"])


def main() -> None:
    """Measure the sizes asked for and print what they take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=lambda text: int(float(text)), nargs="+", default=[1_000_000])
    parser.add_argument("--one", metavar="FOLDER", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(aggregate(Path(asked.one))))
        return
    print("| events | processor s | wall s | peak MiB |\n|---:|---:|---:|---:|")
    for events in asked.events:
        found = measured(events)
        figures = " | ".join(f"{found[part]:,.1f}" for part in ("cpu", "wall", "peak"))
        print(f"| {found['events']:,} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
