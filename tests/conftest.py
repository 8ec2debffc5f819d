"""Runs shared by the tests, small and whole, and screens served over them."""

from __future__ import annotations

import datetime as dt
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from filelock import FileLock
from hypothesis import HealthCheck, settings

from huanjie_lib import cli, findings
from huanjie_lib.parameters import Framework, ParameterSet, load_parameters
from huanjie_lib.risk.classification import classify, to_verify
from huanjie_lib.risk.clusters import find_clusters
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.remedies import find_remedies
from huanjie_lib.risk.scoring import Scores, score
from huanjie_lib.risk.signals import find_signals
from huanjie_lib.risk.trends import find_flips, find_trends
from huanjie_lib.risk.uncertainty import simulate
from huanjie_lib.sample import make_city, write_city
from huanjie_lib.store.run_folder import Run, read_run, write_run
from huanjie_lib.vocabulary import GateStatus, ValueStatus
from tests.postgres import PostgresServer, PostgresUnavailableError

# Shared machines stall: a test case, and drawing it, may take its time. CI draws the same cases every time.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", PATIENT)
settings.register_profile("ci", PATIENT, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while modules are read, and keep what they leave out of every later search for it.

    Those are a million objects that stay to the end: looking through them again and again took a third of the
    time of collection and some 5 % of the tests'.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first: two processes then end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


AS_OF = dt.date(2026, 10, 31)
SNAPSHOTS = (dt.date(2026, 8, 31), dt.date(2026, 9, 30), AS_OF)

# Two names are hostile on purpose: the first is HTML, the second would be a formula in a spreadsheet.
UNITS = [
    # code, name, kind, township, county, how bad it is (0 safe, 1 worst)
    ("990101101001", "云溪社区", "community", "云溪镇", "东岭县", 0.05),
    ("990101101201", "上云村", "village", "云溪镇", "东岭县", 0.30),
    ("990101101202", "<img src=x onerror=alert(1)>", "village", "云溪镇", "东岭县", 0.45),
    ("990101101203", "=1+1村", "village", "云溪镇", "东岭县", 0.10),
    ("990101102201", "石桥村", "village", "石桥镇", "东岭县", 0.60),
    ("990101102202", "下桥村", "village", "石桥镇", "东岭县", 0.55),
    ("990101102203", "柳湾村", "village", "石桥镇", "东岭县", 0.28),
    ("990102001001", "河东社区", "community", "河东街道", "西屏区", 0.00),
    ("990102001002", "新安社区", "community", "河东街道", "西屏区", 0.15),
    ("990102001003", "长乐社区", "community", "河东街道", "西屏区", 0.30),
    ("990102001201", "沙洲村", "village", "河东街道", "西屏区", 0.75),
    ("990102001202", "北洼村", "village", "河东街道", "西屏区", 0.18),
]


def _units() -> pd.DataFrame:
    frame = pd.DataFrame(
        [u[:5] for u in UNITS],
        columns=["unit_code", "unit_name", "unit_kind", "township_name", "county_name"],
    )
    frame["township_code"] = frame["unit_code"].str[:9]
    frame["county_code"] = frame["unit_code"].str[:6]
    frame["urban_rural"] = frame["unit_kind"].map({"village": "220", "community": "111"})
    frame["voter_mode"] = frame["unit_kind"].map({"village": "villagers", "community": "residents"})
    frame["longitude"] = 119.9 + 0.02 * (np.arange(len(frame)) % 4)
    frame["latitude"] = 29.0 + 0.02 * (np.arange(len(frame)) // 4)
    return frame


def _scores(
    framework: Framework, units: pd.DataFrame, drift: float, seed: int
) -> tuple[pd.DataFrame, Scores]:
    rng = np.random.default_rng(seed)
    bad = np.array([u[5] for u in UNITS])[:, None]
    columns = {}
    for indicator in framework.indicators:
        values, severities = np.array(sorted(indicator.reference_points, key=lambda p: p[1])).T
        target = np.clip(bad[:, 0] * rng.uniform(0.4, 1.6, len(bad)) + drift, 0, 1)
        whole = indicator.decimals == 0 and not indicator.percent
        columns[indicator.id] = np.interp(target, severities, values).round(0 if whole else 6)
    frame = pd.DataFrame(columns, index=pd.Index(units["unit_code"]))
    gaps = rng.random(frame.shape) < 0.08
    gaps[[0, 7]] = False
    gaps[1] |= rng.random(frame.shape[1]) < 0.5  # 上云村 has reported little: its colour stays open
    frame = frame.mask(gaps)
    kinds = units.set_index("unit_code")["unit_kind"]
    return frame, score(frame, kinds, framework)


def _indicators(framework: Framework, values: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    rows = []
    for number, code in enumerate(values.index):
        for indicator in framework.indicators:
            value = values.at[code, indicator.id]
            missing = bool(np.isnan(value))
            severity = scores.severity.at[code, indicator.id]
            assumed = indicator.missing.assumed
            rows.append(
                {
                    "unit_code": code,
                    "indicator": indicator.id,
                    "value": value,
                    "status": (ValueStatus.MISSING if missing else ValueStatus.OBSERVED).value,
                    "severity": assumed if missing else severity,
                    "severity_low": 0.0 if missing else severity,
                    "severity_high": 1.0 if missing else severity,
                    "points": scores.points.at[code, indicator.id],
                    "reason": indicator.describe(value),
                    "data_date": pd.NaT if missing else pd.Timestamp(2026, 10, 20),
                    "source_table": "facts",
                    "source_file": None if missing else f"returns/{code[:9]}.xlsx",
                    "source_sheet": None if missing else "基础数据",
                    "source_row": pd.NA if missing else number + 4,
                }
            )
    return pd.DataFrame(rows).astype({"source_row": "Int64"})


def _findings(
    values: pd.DataFrame, units: pd.DataFrame, history: pd.DataFrame, parameters: ParameterSet
) -> dict[str, pd.DataFrame]:
    framework, cuts = parameters.framework, parameters.classification
    kinds = units.set_index("unit_code")["unit_kind"]
    now = history[history["as_of"] == pd.Timestamp(AS_OF)].set_index("unit_code")
    codes = units["unit_code"].tolist()
    chain = pd.DataFrame({"unit_code": codes[:-1], "neighbour_code": codes[1:]})
    lately = history[history["as_of"] >= pd.Timestamp(SNAPSHOTS[-2])]
    return findings.tables(
        findings.Findings(
            uncertainty=simulate(values, kinds, framework, cuts, rng=1, assumptions=parameters.assumptions),
            trends=find_trends(history, framework, least=3),
            flips=find_flips(lately, framework),
            changes=None,
            clusters=find_clusters(100.0 - now["index"], chain, seed=1, fdr=0.5),
            remedies=find_remedies(values, kinds, now["level"], parameters, as_of=AS_OF),
            signals=find_signals(prepare({"units": units}), parameters, AS_OF),
        )
    )


def _gates(gates: list[tuple[str, str]]) -> pd.DataFrame:
    rows = []
    for code, _, _, _, _, bad in UNITS:
        for number, (gate, rule) in enumerate(gates):
            status, reason = GateStatus.PASS, "已完成"
            if bad > 0.4 and number % 2 == 0:
                status, reason = GateStatus.FAIL, "还有 2 项未完成"
            elif 0.2 < bad <= 0.4 and number == 1:
                status, reason = GateStatus.UNKNOWN, "没有填报"
            rows.append((code, gate, status.value, reason, rule))
    return pd.DataFrame(rows, columns=["unit_code", "gate", "status", "reason", "rule"])


def _squares(units: pd.DataFrame) -> gpd.GeoDataFrame:
    # A grid of squares of 0.02°, the last unit without a polygon.
    shapes: list[shapely.Geometry | None] = [
        shapely.box(x - 0.01, y - 0.01, x + 0.01, y + 0.01)
        for x, y in zip(units["longitude"], units["latitude"], strict=True)
    ]
    frame = gpd.GeoDataFrame({"unit_code": units["unit_code"]}, geometry=shapes, crs=4490)
    return frame.iloc[:-1]


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return twelve units in three townships, three snapshots, read back from a run folder.

    Index, colours and points come from the real scoring; only the values are made up. Don't change it in
    place: all tests share it.
    """
    parameters = load_parameters()
    framework = parameters.framework
    units = _units()
    history = []
    previous = None
    for number, date in enumerate(SNAPSHOTS):
        values, scores = _scores(framework, units, drift=0.10 - 0.05 * number, seed=number)
        level = classify(scores.index, parameters.classification, previous=previous)
        unsure = to_verify(scores.index_low, scores.index_high, parameters.classification, previous=previous)
        snapshot = pd.DataFrame(
            {
                "as_of": pd.Timestamp(date),
                "index": scores.index,
                "index_low": scores.index_low,
                "index_high": scores.index_high,
                "level": level,
                "to_verify": unsure,
            }
        )
        history.append(pd.concat([snapshot, scores.dimensions(framework)], axis=1).reset_index())
        previous = level
    indicators = _indicators(framework, values, scores)
    points = indicators[["unit_code", "indicator", "points"]].dropna()
    points.insert(1, "dimension", points["indicator"].map(lambda i: framework.dimension_of(i).id))
    assert parameters.gates is not None
    freshness = pd.DataFrame(
        {
            "source": ["facts", "screenings"],
            "label": ["基础数据", "矛盾摸排"],
            "latest_on": pd.to_datetime(["2026-10-20", "2026-06-01"]),
            "age_days": [11, 152],
            "units_covered": [12, 7],
            "units_total": [12, 12],
        }
    )
    run = Run(
        as_of=AS_OF,
        parameters=parameters,
        index=history[-1][["unit_code", "as_of", "index", "index_low", "index_high", "level", "to_verify"]],
        points_lost=points.reset_index(drop=True),
        gates=_gates([(g.id, g.rule) for g in parameters.gates.gates]),
        indicators=indicators,
        history=pd.concat(history, ignore_index=True),
        freshness=freshness,
        units=units,
        **_findings(values, units, pd.concat(history, ignore_index=True), parameters),
        manifest={},
    )
    folder: Path = tmp_path_factory.mktemp("small_run")
    write_run(
        run,
        folder,
        boundaries=_squares(units),
        signals=None,
        inputs=[{"path": "facts.csv", "sha256": "0" * 64, "bytes": 1}],
        code_version="0",
        intake={},
    )
    return read_run(folder)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process of the session to ask makes and all read; not to be changed."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"once-{name}"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            making = folder.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)  # what a process that failed has left
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole synthetic city of 60 units, with the workbooks of one county; not to be changed."""
    return made_once(tmp_path_factory, "small-city", lambda out: write_city(make_city(units=60), out))


@pytest.fixture(scope="session")
def small_city_run(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the small city, made once by ``huanjie run``; not to be changed."""

    def make(out: Path) -> None:
        arguments = ["run", "--data", small_city, "--as-of", AS_OF, "--out", out / "run"]
        assert cli.main([str(argument) for argument in arguments]) == 0

    return made_once(tmp_path_factory, "small-city-run", make) / "run"


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the whole sample city, made once by ``huanjie run``; not to be changed."""
    data = Path(__file__).resolve().parents[1] / "data" / "sample"

    def make(out: Path) -> None:
        arguments = ["run", "--data", str(data), "--as-of", AS_OF.isoformat(), "--out", str(out / "run")]
        subprocess.run([sys.executable, "-m", "huanjie_lib", *arguments], check=True, capture_output=True)

    return made_once(tmp_path_factory, "sample", make) / "run"


def running_postgres() -> Iterator[PostgresServer]:
    """Yield a started server; without one, CI fails and other machines skip, told what to install."""
    try:
        server = PostgresServer()
        server.start()
    except PostgresUnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield server
    server.stop(wait=False)


#: The PostgreSQL server for the tests of one process, started when the first asks for it.
postgres_server = pytest.fixture(scope="session", name="postgres_server")(running_postgres)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """Return the SQLAlchemy address of a fresh, empty PostgreSQL database."""
    return postgres_server.new_database()


@dataclass(frozen=True)
class ServedScreen:
    """A screen served by ``huanjie serve``: the address it told, token included, and its log."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]


def start_screen(
    run: Path, folder: Path, *, screen: str = "overview", proposals: Path | None = None
) -> ServedScreen:
    """Serve a run folder on a free port and wait until the address is told."""
    log = folder / "serve.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(run), screen, *([str(proposals)] if proposals else [])],
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        told = re.search(r"http://\S+", log.read_text(encoding="utf-8"))
        if told:
            return ServedScreen(told[0], log, process)
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"the screen was not served ({process.wait()}):\n{log.read_text(encoding='utf-8')}")


def stop_screen(screen: ServedScreen) -> int:
    """End a server as Ctrl-C does and return its exit code; kill its group when it does not end."""
    if screen.process.poll() is None:
        screen.process.send_signal(signal.SIGINT)
    try:
        return screen.process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(screen.process.pid, signal.SIGKILL)
        return screen.process.wait(30)


# The command line takes ports from 1; a test wants whichever is free.
SERVE = """
import sys, pathlib
from huanjie_lib.screens.serve import serve
run, screen, *proposals = sys.argv[1:]
serve(
    pathlib.Path(run),
    port=0,
    screen=screen,
    proposals=pathlib.Path(proposals[0]) if proposals else None,
    announce=lambda url: print(url, flush=True),
)
"""


@pytest.fixture(scope="session")
def serve_screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ServedScreen]]:
    """Return a function that serves a screen of a run folder, once each; all end with the session.

    ``serve_screen(run, screen="overview", proposals=None)``.
    """
    screens: dict[tuple[Path, str, Path | None], ServedScreen] = {}

    def start(run: Path, *, screen: str = "overview", proposals: Path | None = None) -> ServedScreen:
        key = (run, screen, proposals)
        if key not in screens:
            folder = tmp_path_factory.mktemp("serve")
            screens[key] = start_screen(run, folder, screen=screen, proposals=proposals)
        return screens[key]

    yield start
    for served in screens.values():
        stop_screen(served)


@pytest.fixture
def new_screen() -> Iterator[Callable[[Path, Path], ServedScreen]]:
    """Return a function that serves a run folder with its log in another, for a test that ends it."""
    screens: list[ServedScreen] = []

    def start(run: Path, folder: Path) -> ServedScreen:
        screens.append(start_screen(run, folder))
        return screens[-1]

    yield start
    for screen in screens:
        stop_screen(screen)
