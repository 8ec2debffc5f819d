"""What the process of a kernel holds and can reach: nothing of an area that is not its viewer's.

The page is not asked here. The kernel's memory is searched as the system shows it, and so is everything under
the places that the kernel was told of, works in or has open, as one who ran code in it would.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import read_run
from huanjie_lib.vocabulary import CaseEvent
from tests.attacks.conftest import Served, signed_on
from tests.offices import CITY, act
from tests.talent_runs import BRIDGE, KEYS, NAMES, ZHANG, ZHAO, ZHOU, talent_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read through /proc"),
]

MINE, THEIRS = "本镇的隐情甲乙丙", "他镇的隐情丁戊己"
ENCODINGS = ("utf-8", "utf-16-le", "utf-32-le")
"""How a text may lie in memory: in Arrow and files, and as Python keeps it, by its widest character."""
WORK = ("案件和台账", "人才匹配内容")
"""Labels of the panels that take what is pressed."""
PLACES = ("HUANJIE_RUN", "HUANJIE_STORE", "HUANJIE_TALENT", "HUANJIE_NAMES")
"""Variables that name a place; what lies beside it is within reach too."""


def found_in_memory(process: int, texts: tuple[str, ...]) -> set[str]:
    """Return which texts stand anywhere in what a process has written into memory."""
    found = set()
    smaps = Path(f"/proc/{process}/smaps").read_text()
    spans = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", smaps, flags=re.MULTILINE)
    resident = [span for span in spans if not re.search(r"^Rss: +0 kB", span, re.MULTILINE)]
    held = [re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", span) for span in resident]
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        for span in filter(None, held):
            start, end = (int(number, 16) for number in span.groups())
            try:
                content = os.pread(memory.fileno(), end - start, start)
            except OSError:  # given back since
                continue
            found |= {text for text in texts if any(text.encode(one) in content for one in ENCODINGS)}
    return found


def environment(process: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return dict(entry.decode().split("=", 1) for entry in entries if b"=" in entry)


def reach(process: int) -> set[Path]:
    """Return every file that a kernel has open, or finds under its folder and what it was told of."""
    told = environment(process)
    inherited = set(os.environ.values())
    words = {word for value in told.values() if value not in inherited for word in value.split(os.pathsep)}
    words |= set(Path(f"/proc/{process}/cmdline").read_text().split("\0"))
    roots = {Path(word) for word in words if re.match(r"/\w", word)} | {
        Path(f"/proc/{process}/cwd").resolve()
    }
    roots |= {Path(told[name]).parent for name in PLACES if told.get(name)}
    roots |= {file.readlink() for file in Path(f"/proc/{process}/fd").iterdir()}
    own = (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), Path(__file__).resolve().parents[2])
    theirs = {root for root in roots if not any(root.resolve().is_relative_to(one) for one in own)}
    files = {file for root in theirs for file in (root, *root.rglob("*")) if file.is_file()}
    return {file for file in files if file.parts[1] not in {"proc", "dev"}}


def found_in_files(files: set[Path], texts: tuple[str, ...]) -> set[str]:
    """Return which texts stand in files, in tables too."""
    found = set()
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".parquet":
            content += pd.read_parquet(file).to_csv().encode()
        found |= {text for text in texts if text.encode() in content}
    return found


def held(
    served: Served, texts: tuple[str, ...], *presses: tuple[str, str]
) -> tuple[set[str], set[str], dict[str, str]]:
    """Open a page, press what there is, and return what its kernel then holds and reaches."""
    with served.open("mine") as (viewer, page):
        with viewer.channel(page.kernel) as channel:
            panel = next(number for number, state in channel.states().items() if state.get("label") in WORK)
            for action, value in presses:
                channel.press(panel, action, value)
        process = served.kernels()[page.kernel]
        files = reach(process)
        assert files
        return found_in_memory(process, texts), found_in_files(files, texts), environment(process)


class TestCases:
    """A township's kernel of the screen of cases."""

    @pytest.fixture(scope="module")
    @staticmethod
    def towns(small_city_run: Path) -> tuple[str, str]:
        townships = read_run(small_city_run).units["township_code"].value_counts()
        return str(townships.index[0]), str(townships.index[1])

    @pytest.fixture(scope="module")
    @staticmethod
    def served(
        small_city_run: Path, towns: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Served]:
        folder = tmp_path_factory.mktemp("cases")
        units = read_run(small_city_run).units
        with open_ledger(folder / "store", create=True) as ledger:
            for town, case, reason in zip(towns, ("C-mine", "C-their"), (MINE, THEIRS), strict=True):
                unit = units[units["township_code"] == town].iloc[0]
                where = unit[["unit_code", "unit_name", "township_code", "township_name"]].to_dict()
                opened = act(CaseEvent.OPEN, CITY, 0, case_id=case, cause=f"plan/{case}", reason=reason)
                ledger.append(replace(opened, payload={**opened.payload, **where}))
        accounts = (
            "format: huanjie-accounts/1\naccounts:\n"
            f"  - {{account: mine, office: 本镇, role: township, scope: ['{towns[0]}']}}\n"
        )
        arguments = ("--app", "casework", "--run", small_city_run, "--store", folder / "store")
        with signed_on(folder, accounts, *arguments, "--role", "township") as served:
            yield served

    def test_nothing_of_another_township_is_in_its_memory_or_within_its_reach(
        self, served: Served, towns: tuple[str, str]
    ) -> None:
        own, other = (MINE, f"{towns[0]}2"), (THEIRS, f"{towns[1]}2")
        memory, files, told = held(served, (*own, *other), ("look", ""), ("case", "C-mine"))
        assert memory == files == set(own)
        run, store = Path(told["HUANJIE_RUN"]), Path(told["HUANJIE_STORE"])
        assert run.parent == store.parent
        assert store.is_file()
        assert not any("postgresql" in value or "sqlite:" in value for value in told.values())


class TestPeople:
    """A kernel of the talent screen for one area."""

    @pytest.fixture(scope="module")
    @staticmethod
    def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
        folder = tmp_path_factory.mktemp("people")
        talent_folder(folder / "t")
        KEYS.write(folder / "key.json")
        open_ledger(folder / "store", create=True).close()
        accounts = (
            "format: huanjie-accounts/1\naccounts:\n"
            f"  - {{account: mine, office: 组织部, role: talent, scope: ['{BRIDGE}']}}\n"
        )
        arguments = ("--app", "talent", "--talent", folder / "t", "--key", folder / "key.json")
        with signed_on(
            folder, accounts, *arguments, "--store", folder / "store", "--role", "talent"
        ) as served:
            yield served

    def test_nobody_of_another_area_is_in_its_memory_or_within_its_reach(self, served: Served) -> None:
        texts = ("赵*孙", ZHANG, ZHOU, NAMES[ZHOU])
        memory, files, told = held(served, texts, ("tab", "teams"), ("person", ZHAO))
        assert memory == files == {"赵*孙"}
        assert not [name for name in told if re.search("KEY|PG", name)]


def test_the_search_finds_what_is_there() -> None:
    """A text that a process has made is found, however it is kept; one that is nowhere is not."""
    planted = ("只在此处x", "只在此处😀", "plain")
    points = [[ord(letter) for letter in text] for text in planted]
    code = f"kept = [''.join(map(chr, text)) for text in {points}]; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        assert found_in_memory(one.pid, (*planted, "不在此处")) == set(planted)
        one.kill()
