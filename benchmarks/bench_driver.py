"""Memory of whoever hands out the work on a Spark cluster: level, however much there is of it.

``python -m benchmarks.bench_driver --events 1e5 1e6 --counties 12 72`` aggregates event streams and scores
counties as the commands of ``huanjie`` do, on a cluster of two workers that Spark starts on this machine, and
prints the largest resident memory of the two processes of the driver: Python, and the virtual machine that
it talks to. Executors are processes of their own and are not counted. Answers are checked as in
:mod:`benchmarks.bench_events` and :mod:`benchmarks.bench_partitions`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks import bench_events, bench_partitions
from benchmarks.measuring import Case, Found, Limit, Unavailable, peak_mb, timed

CLUSTER = "local-cluster[2,1,1024]"
"""Two workers with a core and an executor of 1 GiB each; ``local[2]`` would compute in the driver itself."""
CITY, COUNTIES_OF_CITY, SNAPSHOTS = 300, 3, 3
EVENTS, COUNTIES = (100_000, 1_000_000), (12, 24, 72)
HEAP = "512m"
"""What the driver's virtual machine may hold: half of what Spark gives it by itself, little above its least.

Java takes what it may before it collects what is no longer needed, so that with more the peak would tell how
long a run lasts. Optimised twice, its code would cost more than it saves in a minute.
"""
ARGUMENTS = f"--driver-memory {HEAP} --driver-java-options -XX:TieredStopAtLevel=1 pyspark-shell"
FLAT = 1.2
"""What a peak at the largest size may be, in peaks at the smallest."""
PROCESSES = ("python", "java")


def aggregate(folder: Path) -> None:
    """Run ``huanjie events`` on the cluster, and hold what it wrote against what was made."""
    found = bench_events.run_huanjie(folder, CLUSTER)
    wanted = json.loads((folder / bench_events.ANSWER).read_text(encoding="utf-8"))
    assert found == wanted[: len(found)], f"{found} is not {wanted}"


def score(folder: Path) -> None:
    """Score the counties of a folder on the cluster, and hold each city against the first."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.partitions import open_cluster, run_partitions

    with open_cluster(CLUSTER) as spark:
        assert spark is not None
        data, out = folder / "data", folder / "scores"
        run = run_partitions(data, out, load_parameters(), as_of=bench_partitions.AS_OF, spark=spark)
    bench_partitions.assert_alike(run.to_frame())


def make_events(events: int, folder: Path) -> None:
    """Lay out so many petitions."""
    bench_events.make(events, folder)


def make_counties(counties: int, folder: Path) -> None:
    """Lay out cities of three small counties each."""
    bench_partitions.lay_out(counties // COUNTIES_OF_CITY, folder, units=CITY, snapshots=SNAPSHOTS)


WORK: dict[str, tuple[Callable[[int, Path], None], Callable[[Path], None]]] = {
    "events": (make_events, aggregate),
    "counties": (make_counties, score),
}


def one(name: str, folder: Path) -> dict[str, float]:
    """Do the work from this process, and return peaks of its two halves in MiB, and processor seconds."""
    from pyspark import SparkContext

    _, cpu, wall = timed(lambda: WORK[name][1](folder))
    gateway: Any = SparkContext._gateway  # to the virtual machine, which outlives the session
    java_cpu, java_peak, _ = bench_events.processes(gateway.proc.pid)[0]
    return {"python": peak_mb(), "java": java_peak, "cpu": cpu + java_cpu, "wall": wall}


@cache
def measured(name: str, size: int) -> dict[str, float]:
    """Return what the driver takes for so many events or counties, in a process of its own."""
    if not (shutil.which("java") or "JAVA_HOME" in os.environ):
        raise Unavailable("no Java")
    with tempfile.TemporaryDirectory(prefix="huanjie-driver-") as scratch:
        folder = Path(scratch) / "work"
        WORK[name][0](size, folder)
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.bench_driver",
            "--one",
            name,
            str(folder),
        ]
        env = {
            **os.environ,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": ARGUMENTS,
        }
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


def level(name: str, sizes: tuple[int, ...], size: int) -> Found:
    """Hold each of the driver's two peaks against that at the smallest size; the larger ratio counts."""
    found = measured(name, size)
    least = found if size == sizes[0] else measured(name, sizes[0])
    times = max(found[process] / least[process] for process in PROCESSES)
    peak = sum(found[process] for process in PROCESSES)
    return Found(times, found["cpu"], found["wall"], space=peak, peak_mb=peak)


CASES = tuple(
    Case(f"driver.{name}", "memory of the driver of a cluster", what, name, sizes, None,
         partial(level, name, sizes), {sizes[-1]: Limit(FLAT)}, unit="peaks at the smallest size",
         space_unit="MB")
    for name, what, sizes in (
        ("events", "huanjie events, two workers", EVENTS),
        ("counties", "huanjie partition run, two workers", COUNTIES),
    )
)  # fmt: skip


def main() -> None:
    """Measure the sizes asked for and print what the driver takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, sizes in (("events", EVENTS), ("counties", COUNTIES)):
        parser.add_argument(f"--{name}", type=lambda text: int(float(text)), nargs="*", default=sizes)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one[0], Path(asked.one[1]))))
        return
    print("| of | size | Python MiB | Java MiB | processor s | wall s |\n|---|---:|---:|---:|---:|---:|")
    for name in WORK:
        for size in getattr(asked, name):
            found: dict[str, Any] = measured(name, size)
            figures = " | ".join(f"{found[part]:,.0f}" for part in (*PROCESSES, "cpu", "wall"))
            print(f"| {name} | {size:,} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
