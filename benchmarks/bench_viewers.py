"""Many viewers at once on the overview: time to a picture and to the live map, memory, and killed kernels.

``python -m benchmarks.bench_viewers --run RUN --viewers 20`` serves a run folder on this machine, opens the
page for so many viewers at the same moment, waits until the data of each one's live map have come, kills half
of the kernels, and checks that the others answer, that the dead ones are told to their pages, and that new
viewers get in. It prints a table in Markdown and a line of JSON, and exits with 1 if a viewer was left
without a page or a limit of the plan is missed (250 MB a viewer). ``benchmarks/results.md`` keeps the table
of a reference run.

These clients are no browsers: the picture counts as painted when the whole page has come, the map when its
shapes have. What a browser adds is its own, on the viewer's machine.

``python -m benchmarks --only viewers`` opens the page alone, in Chromium, with a kernel kept ready: its case
among all benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from benchmarks.measuring import SIZES, Case, Found, Limit, Unavailable
from tests.attacks.attacker import BUFFER, Attacker, Page
from tests.browser.conftest import CHROMIUM_ARGUMENTS, PATIENCE_MS, free_port
from tests.browser.serving import servers

MOST_MB, PAINT_LIMIT_S, VISITS = 250, 1.5, 5
ROOT = Path(__file__).resolve().parents[1]
_TOLD_WITHIN_S = 60.0


@dataclass(frozen=True)
class Viewed:
    """One viewer: seconds to the picture and to the map, and who he was."""

    picture_s: float
    map_s: float
    viewer: Attacker
    page: Page


@dataclass(frozen=True)
class Outcome:
    """What a run of the benchmark found."""

    viewers: int
    units: int
    painted: int
    picture_median_s: float
    picture_last_s: float
    map_median_s: float
    map_last_s: float
    memory_median_mb: float
    memory_most_mb: float
    killed: int
    alive_after: int
    told: int
    back_in: int

    @property
    def kept(self) -> bool:
        """Whether nobody was left without a page, and the memory is within the limit."""
        everybody = self.painted == self.viewers and self.alive_after == self.viewers - self.killed
        return everybody and self.told == self.back_in == self.killed and self.memory_most_mb <= MOST_MB


def look(base: str, query: str, start: threading.Barrier) -> Viewed:
    """Open the page with all the others, and wait for the map."""
    stranger = Attacker(base)
    start.wait()
    began = time.monotonic()
    page = stranger.page(f"/?{query}")
    picture = time.monotonic() - began
    assert "hj-preview" in page.text
    cookies = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    viewer = Attacker(base, {"Cookie": cookies})
    if not answers(viewer, page):
        raise AssertionError("a map without shapes")
    return Viewed(picture, time.monotonic() - began, viewer, page)


def answers(viewer: Attacker, page: Page) -> bool:
    """Tell whether a viewer's kernel tells the state of its widgets, the map's colours among them."""
    with viewer.channel(page.kernel) as channel:
        return any(state.get("levels") == BUFFER for state in channel.states().values())


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def kernels_of(server: int) -> dict[str, int]:
    """Return the processes of a server's kernels by number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            number = re.search(r"kernel-([0-9a-f-]{36})\.json", (folder / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == server and number:
            found[number[1]] = int(folder.name)
    return found


def gone(viewed: Viewed) -> bool:
    """Wait until a viewer's page is told that its kernel has gone."""
    until = time.monotonic() + _TOLD_WITHIN_S
    while time.monotonic() < until:
        if viewed.viewer.ask(f"/api/kernels/{viewed.page.kernel}").status == 404:
            return True
        time.sleep(0.2)
    return False


def measure(run: Path, viewers: int, kill: int) -> Outcome:
    """Serve a run, let viewers look, kill some of their kernels, and tell what was found."""
    units = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["counts"]["units"]
    with tempfile.TemporaryDirectory() as folder, servers() as started, ThreadPoolExecutor(viewers) as crowd:
        url = started.start(
            Path(folder) / "log", "--run", run, "--port", free_port(), "--most-pages", 2 * viewers + 1
        )
        base, query = url.partition("?")[0], urlsplit(url).query
        together = threading.Barrier(viewers)
        seen = list(crowd.map(lambda _: look(base, query, together), range(viewers)))
        kernels = kernels_of(started.processes[0].pid)
        memory = [resident_mb(kernels[one.page.kernel]) for one in seen]
        dead, rest = seen[:kill], seen[kill:]
        for one in dead:
            os.kill(kernels[one.page.kernel], signal.SIGKILL)
        alive = list(crowd.map(lambda one: answers(one.viewer, one.page), rest))
        told = list(crowd.map(gone, dead))
        alone = threading.Barrier(max(1, kill))
        back = list(crowd.map(lambda _: look(base, query, alone), range(kill)))
        for one in [*rest, *back]:
            one.viewer.leave(one.page)
    return Outcome(
        viewers=viewers,
        units=units,
        painted=len(seen),
        picture_median_s=statistics.median(one.picture_s for one in seen),
        picture_last_s=max(one.picture_s for one in seen),
        map_median_s=statistics.median(one.map_s for one in seen),
        map_last_s=max(one.map_s for one in seen),
        memory_median_mb=statistics.median(memory),
        memory_most_mb=max(memory),
        killed=kill,
        alive_after=sum(alive),
        told=sum(told),
        back_in=len(back),
    )


def table(outcome: Outcome) -> str:
    """Return the outcome as a Markdown table."""
    o = outcome
    rows = [
        ("viewers at once, units", f"{o.viewers}, {o.units:,}", ""),
        ("painted", f"{o.painted}", f"{o.viewers}"),
        ("picture: median, last", f"{o.picture_median_s:.1f} s, {o.picture_last_s:.1f} s", ""),
        ("live map's data: median, last", f"{o.map_median_s:.1f} s, {o.map_last_s:.1f} s", ""),
        (
            "memory a viewer: median, most",
            f"{o.memory_median_mb:.0f} MB, {o.memory_most_mb:.0f} MB",
            f"≤ {MOST_MB} MB",
        ),
        ("kernels killed; their pages told", f"{o.killed}; {o.told}", f"{o.killed}; {o.killed}"),
        ("others that still answer", f"{o.alive_after}", f"{o.viewers - o.killed}"),
        ("new viewers let in afterwards", f"{o.back_in}", f"{o.killed}"),
    ]
    lines = [f"| {what} | {found} | {limit} |" for what, found, limit in rows]
    return "\n".join(["| what | found | limit |", "|---|--:|--:|", *lines])


#: Seconds from the start of the visit to the end of the frame that shows the screen or its picture of itself.
FIRST_PAINT = """() => new Promise((done) => {
    const look = () => {
        const screen = document.querySelector('.hj-screen');
        const box = screen?.getBoundingClientRect();
        if (box && box.width && box.height) {
            requestAnimationFrame(() => setTimeout(() => done(performance.now() / 1000)));
        } else requestAnimationFrame(look);
    };
    look();
})"""


def first_paint(units: int) -> Found:
    """Open the overview of the sample city in Chromium, a kernel being ready; the time is a median."""
    browser_path = os.environ.get("HUANJIE_CHROMIUM")
    if not browser_path:
        raise Unavailable("no browser: set HUANJIE_CHROMIUM to the path of its program")
    with tempfile.TemporaryDirectory() as name, servers() as started, sync_playwright() as playwright:
        folder = Path(name)
        data = ["--data", ROOT / "data" / "sample", "--as-of", "2026-10-31", "--out", folder / "run"]
        command = [sys.executable, "-m", "huanjie_lib", "run", *map(str, data)]
        subprocess.run(command, check=True, capture_output=True)
        manifest = json.loads((folder / "run" / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["counts"]["units"] == units
        url = started.start(folder / "log", "--run", folder / "run", "--port", free_port(), "--warm", 1)
        server = started.processes[0].pid
        browser = playwright.chromium.launch(executable_path=browser_path, args=CHROMIUM_ARGUMENTS)
        times, memory = [], []
        for _ in range(VISITS):
            rest(server)
            before = set(kernels_of(server).values())
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.goto(url, wait_until="commit")
            times.append(page.evaluate(FIRST_PAINT))
            page.locator(".hj-screen:not(.hj-preview) canvas").first.wait_for(timeout=PATIENCE_MS)
            memory.append(max(map(resident_mb, before)))  # one of them is the viewer's
            page.close()
        browser.close()
    paint, most = statistics.median(times), max(memory)
    return Found(paint, None, paint, space=most, peak_mb=most, rounds=VISITS)


def rest(server: int) -> None:
    """Wait until a kernel is ready and none is at work."""
    until, spent = time.monotonic() + PATIENCE_MS / 1000, -1.0
    while time.monotonic() < until:
        kernels = kernels_of(server).values()
        before, spent = spent, sum(map(processor_seconds, kernels))
        if kernels and 0 <= spent - before < 0.05:
            return
        time.sleep(1)
    raise RuntimeError("no kernel came to rest")


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


CASES = (
    Case("viewers.first_paint", "overview: first paint, warm kernel", "Chromium, from visit to picture",
         "units", SIZES[:1], None, first_paint, {SIZES[0]: Limit(PAINT_LIMIT_S, MOST_MB)},
         unit="s", space_unit="MB a viewer"),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--kill", type=int, default=None, help="by default half of the viewers")
    given = parser.parse_args(arguments)
    outcome = measure(given.run, given.viewers, given.viewers // 2 if given.kill is None else given.kill)
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors\n\n{table(outcome)}\n")
    print(json.dumps({**asdict(outcome), "kept": outcome.kept}))
    return 0 if outcome.kept else 1


if __name__ == "__main__":
    sys.exit(main())
