"""What a run of the benchmarks found: kept as JSON, held against a reference, and shown as a table.

A record says, for each case and size, the figure that the plan limits, the ratio to the peer of the same run,
memory, and under which run (machine, versions, commit) it was measured. Records of different machines are
held against each other by ratios and bytes, never by seconds.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measuring import Case, Found, Limit

__all__ = [
    "BY_SPACE",
    "BY_TIME",
    "Record",
    "Row",
    "Slip",
    "machine",
    "merged",
    "read",
    "slips",
    "table",
]

FORMAT = 1
BY_TIME = 1.25
"""A ratio of times this many times that of the reference has slipped."""
BY_SPACE = 1.10
"""The same for memory and bytes."""
SHORT = 0.005
"""Ratios of what took fewer seconds in the reference are chance and fixed cost, and not held."""
PACKAGES = ("numpy", "pandas", "polars", "scipy", "ortools")


@dataclass(frozen=True)
class Row:
    """One case at one size: what :class:`~benchmarks.measuring.Found` found, and what it is held to."""

    case: str
    size: int
    budget: str
    what: str
    of: str
    figure: float
    unit: str
    peer: str
    ratio: float | None
    limit: float | None
    space: float | None
    space_unit: str
    space_limit: float | None
    seconds: float | None
    wall_seconds: float
    peer_seconds: float | None
    peak_mb: float | None
    rounds: int
    run: str

    @classmethod
    def of_found(cls, case: Case, size: int, found: Found, run: str) -> Row:
        """Return the row of a measurement."""
        limit = case.limits.get(size, Limit())
        return cls(
            case=case.name, size=size, budget=case.budget, what=case.what, of=case.of,
            unit=case.unit, peer=case.peer, ratio=found.ratio, limit=limit.figure,
            space_unit=case.space_unit, space_limit=limit.space, run=run, **asdict(found),
        )  # fmt: skip

    @property
    def judged(self) -> bool:
        """Whether the plan limits anything here."""
        return self.limit is not None or self.space_limit is not None

    @property
    def met(self) -> bool | None:
        """Whether the limits are met; ``None`` where there are none."""
        if not self.judged:
            return None
        in_time = self.limit is None or self.figure <= self.limit
        return in_time and (self.space_limit is None or (self.space or 0.0) <= self.space_limit)


@dataclass(frozen=True)
class Record:
    """All rows, the runs in which they were measured, and what could not be measured, with the reason."""

    rows: tuple[Row, ...]
    runs: Mapping[str, Mapping[str, Any]]
    left_out: Mapping[str, str]

    @property
    def missed(self) -> list[Row]:
        """Rows that miss a limit."""
        return [row for row in self.rows if row.met is False]

    def to_json(self) -> str:
        """Return the record as text that is stable but for what was measured."""
        rows = [{**asdict(row), "met": row.met} for row in self.rows]
        document = {"format": FORMAT, "runs": self.runs, "rows": rows, "left_out": self.left_out}
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def read(path: Path) -> Record:
    """Read a record; refuse another format."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise ValueError(f"{path.name}: format {document.get('format')}, expected {FORMAT}")
    rows = [{name: value for name, value in row.items() if name != "met"} for row in document["rows"]]
    return Record(tuple(Row(**row) for row in rows), document["runs"], document["left_out"])


def machine(made: str, commit: str, *, quick: bool) -> dict[str, Any]:
    """Return what a run says of itself."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "made": made,
        "commit": commit,
        "quick": quick,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def merged(old: Record | None, new: Record, cases: Sequence[Case]) -> Record:
    """Return the new rows and those old ones that they do not replace, in the order of the cases.

    Rows of cases and sizes that are no more are dropped, and runs that no row names. Why a case was left out
    at a size is told until it has been measured at all of them.
    """
    found = {(row.case, row.size): row for row in (*(old.rows if old else ()), *new.rows)}
    rows = tuple(
        found[case.name, size] for case in cases for size in case.sizes if (case.name, size) in found
    )
    runs = {**(old.runs if old else {}), **new.runs}
    used = {row.run for row in rows}
    whole = {case.name for case in cases if all((case.name, size) in found for size in case.sizes)}
    left_out = {**(old.left_out if old else {}), **new.left_out}
    return Record(
        rows,
        {name: runs[name] for name in runs if name in used},
        {name: reason for name, reason in left_out.items() if name not in whole},
    )


@dataclass(frozen=True)
class Slip:
    """A figure that is worse than the reference by more than is allowed."""

    row: Row
    what: str
    before: float
    now: float

    def __str__(self) -> str:
        times = "for the first time" if not self.before else f"{self.now / self.before:.2f} times that"
        return (
            f"{self.row.case} at {self.row.size:,}: {self.what} {self.now:.3g}, "
            f"in the reference {self.before:.3g}: {times}"
        )


def slips(now: Record, reference: Record) -> list[Slip]:
    """Return what has become worse: a ratio by more than a quarter, memory or bytes by more than a tenth.

    Figures without a peer in the same run (times in a browser) are not held against the reference, only
    against their limits, nor are ratios of what took less than :data:`SHORT`, nor memory where the reference
    had no more at its end than at its beginning. A count that the reference has as 0 may not become more.

    Raises
    ------
    ValueError
        If the two have no row in common.
    """
    before = {(row.case, row.size): row for row in reference.rows}
    common = [(row, before[row.case, row.size]) for row in now.rows if (row.case, row.size) in before]
    if not common:
        raise ValueError("the reference has none of these rows")
    found = []
    for row, old in common:
        long = old.seconds is not None and old.seconds >= SHORT
        pairs = [
            (f"ratio to {row.peer}", row.ratio, old.ratio if long else None, BY_TIME),
            (row.space_unit, row.space, old.space if old.space and old.space > 0 else None, BY_SPACE),
        ]
        if row.unit == "events":
            pairs.append((row.what, row.figure, old.figure, 1.0))
        for what, value, was, allowed in pairs:
            if value is not None and was is not None and value > was * allowed:
                found.append(Slip(row, what, was, value))
    return found


HEADER = (
    "| what | size | found | limit | beside | CPU s | wall s | peer, CPU s | memory | peak MB | |",
    "|---|--:|--:|--:|---|--:|--:|--:|--:|--:|---|",
)


def table(rows: Iterable[Row], *, judged: bool = True) -> str:
    """Return Markdown: a section for each row of the plan, a line for each case and size."""
    lines: list[str] = []
    budget = ""
    for row in rows:
        if row.budget != budget:
            budget = row.budget
            lines += ["", f"**{budget[:1].upper()}{budget[1:]}**", "", *HEADER]
        lines.append(_line(row, judged=judged))
    return "\n".join(lines[1:])


def _line(row: Row, *, judged: bool) -> str:
    verdict = "" if row.met is None or not judged else "met" if row.met else "**missed**"
    space = "" if row.space is None else f"{number(row.space)} {row.space_unit}"
    cells = [
        row.what,
        f"{row.size:,} {row.of}",
        f"{number(row.figure)} {row.unit}",
        "" if row.limit is None else f"≤ {number(row.limit)}",
        row.peer if row.unit == "×" or row.ratio is None else f"{number(row.ratio)} × {row.peer}",
        number(row.seconds),
        number(row.wall_seconds),
        number(row.peer_seconds),
        space if row.space_limit is None else f"{space} (≤ {number(row.space_limit)})",
        "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        verdict,
    ]
    return f"| {' | '.join(cells)} |"


def number(value: float | None) -> str:
    """Return three digits, thousands parted; nothing for nothing."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value == 0 or abs(value) >= 100 else f"{value:.3g}"
