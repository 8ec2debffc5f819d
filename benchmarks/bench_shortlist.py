"""Shortlists of a province: the 20 best of a million people for each of 20,000 posts.

``python -m benchmarks.bench_shortlist`` prints a table in Markdown and a line of JSON; it exits with 1 if a
limit of the plan is missed. It takes five minutes. ``--quick`` takes 4,000 people and 300 posts and checks
lists, not times. ``benchmarks/results.md`` keeps the table of a reference run.

The yardstick is the float32 product of all people and posts in the same blocks, written to one buffer and not
read. Each contender has a process of its own, on one thread, so that its peak of memory is its own, with the
interpreter, the libraries and the data; processes take turns, and the least time stands. Ratios are of
processor time.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before the libraries read it
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.measuring import Case, Found, Limit, peak_mb
from huanjie_lib.parameters import TalentPack, load_parameters
from huanjie_lib.talent.fit import ASPECTS, post_profiles
from huanjie_lib.talent.top_k import TopK, scores, top_k
from huanjie_lib.vocabulary import PostKind

Floats = npt.NDArray[np.float64]

PEOPLE, POSTS, LENGTH = 1_000_000, 20_000, 20
QUICK_PEOPLE, QUICK_POSTS = 4000, 300
AT_ONCE = 20_000
PEER_SHARE = 20  # the peer takes one post in so many
BLOCK = (8192, 256)  # of the lists
LARGE_BLOCK = (16_384, 1024)
SEED = 20261031
RATIO_LIMIT, MEMORY_LIMIT = 2.5, 1024.0


@dataclass(frozen=True)
class Data:
    """People and posts of one kind, and who may be listed for which posts."""

    people: Floats
    weights: Floats
    group: npt.NDArray[np.int64]
    eligible: list[npt.NDArray[np.bool_]]


def city(people: int, posts: int) -> Data:
    """Return people of three latent strengths, known in part, and posts of the pack in unlike units."""
    rng, pack = np.random.default_rng(SEED), load_parameters().talent
    assert isinstance(pack, TalentPack)
    strength, values = rng.uniform(0.2, 1.0, (3, len(ASPECTS))), np.empty((people, len(ASPECTS)))
    for start in range(0, people, AT_ONCE):
        some = values[start : start + AT_ONCE]
        latent = rng.standard_normal((len(some), 3)) @ strength
        rated = np.clip(62 + 6 * latent + 8 * rng.standard_normal(some.shape), 0, 100).round(1)
        known = rng.beta(2, 2, len(some))[:, None] * (rng.random(some.shape) < 0.8)
        some[:] = known * rated + pack.missing * (1 - known)
    kinds = [post.value for post in PostKind]
    units = pd.DataFrame({"unit_code": [f"{unit:012d}" for unit in range(-(-posts // len(kinds)))]})
    units["unit_kind"] = np.where(rng.random(len(units)) < 0.2, "community", "village")
    table = units[["unit_code"]].merge(pd.DataFrame({"post": kinds}), how="cross").head(posts)
    needs = pd.DataFrame({"dimension": list(dict.fromkeys(need.dimension for need in pack.needs))})
    losses = units[["unit_code"]].merge(needs, how="cross")
    losses["share"] = rng.beta(1, 4, len(losses))
    profiles = post_profiles(table.assign(seats=1, profile=None), units, losses, pack)
    group = profiles.posts["post"].map({kind: number for number, kind in enumerate(kinds)}).to_numpy()
    eligible = [rng.random(people) < share for share in (0.4, 0.7, 0.7, 0.8, 0.6)]
    return Data(values, profiles.weights, group.astype(np.int64), eligible)


def hostile(people: int, posts: int) -> Data:
    """Return specialists of equal totals, and posts that ask for anything: bounds leave nobody out."""
    rng = np.random.default_rng(SEED)
    values = 100 * rng.dirichlet(np.full(len(ASPECTS), 0.5), people)
    weights = rng.dirichlet(np.ones(len(ASPECTS)), posts)
    return Data(values, weights, np.zeros(posts, dtype=np.int64), [np.ones(people, dtype=np.bool_)])


def product(data: Data, block: tuple[int, int] = BLOCK) -> None:
    """Take the float32 product in blocks, and no more."""
    people, posts = data.people.astype(np.float32), data.weights.astype(np.float32)
    out = np.empty(block, dtype=np.float32)
    for first in range(0, len(posts), block[1]):
        some = np.ascontiguousarray(posts[first : first + block[1]].T)
        for start in range(0, len(people), block[0]):
            rows = people[start : start + block[0]]
            np.matmul(rows, some, out=out[: len(rows), : some.shape[1]])


def lists(data: Data) -> TopK:
    """Return lists where everybody may be on each."""
    return top_k(data.people, data.weights, LENGTH)


def eligible_lists(data: Data) -> TopK:
    """Return lists of whoever is eligible for the kind of post."""
    return top_k(data.people, data.weights, LENGTH, eligible=data.eligible, group=data.group)


def argpartition(data: Data) -> TopK:
    """Return lists of every so many posts: numpy's selection in each block, the best of all blocks sorted."""
    people, posts = data.people.astype(np.float32), data.weights[::PEER_SHARE].astype(np.float32)
    rows = np.empty((len(posts), 0), dtype=np.int64)
    found = np.empty((len(posts), 0), dtype=np.float32)
    for start in range(0, len(people), BLOCK[0]):
        block = posts @ people[start : start + BLOCK[0]].T
        best = np.argpartition(block, max(block.shape[1] - LENGTH, 0), axis=1)[:, -LENGTH:]
        rows = np.hstack([rows, best + start])
        found = np.hstack([found, np.take_along_axis(block, best, axis=1)])
        kept = np.argsort(-found, axis=1, kind="stable")[:, :LENGTH]
        rows, found = np.take_along_axis(rows, kept, axis=1), np.take_along_axis(found, kept, axis=1)
    return TopK(rows, found.astype(np.float64))


def check(data: Data, found: TopK, posts: npt.NDArray[np.int64], *, who_may: bool) -> None:
    """Refuse lists that are quick and wrong, by sorting everybody for some posts."""
    for post in posts.tolist():
        fit = scores(data.people, data.weights[post])
        if who_may:
            fit = np.where(data.eligible[data.group[post]], fit, -np.inf)
        best = np.lexsort((np.arange(len(fit)), -fit))[:LENGTH]
        np.testing.assert_array_equal(found.rows[post], best)
        np.testing.assert_array_equal(found.score[post], fit[best])


@dataclass(frozen=True)
class Contender:
    """One way to do it; its limit, if it has one, and the part of the posts that it takes."""

    what: str
    data: Callable[[int, int], Data]
    call: Callable[[Data], TopK | None]
    limit: float | None = None
    part: float = 1.0


YARDSTICK = "product"
CONTENDERS = {
    YARDSTICK: Contender(f"float32 product, blocks of {BLOCK[0]:,} × {BLOCK[1]:,}", city, product),
    "large": Contender(
        f"the product in blocks of {LARGE_BLOCK[0]:,} × {LARGE_BLOCK[1]:,}",
        city,
        lambda data: product(data, LARGE_BLOCK),
    ),
    "lists": Contender("20 best of all people", city, lists, RATIO_LIMIT),
    "eligible": Contender(
        "20 best of who is eligible for the kind of post", city, eligible_lists, RATIO_LIMIT
    ),
    "hostile": Contender("specialists of equal totals, posts that ask for anything", hostile, lists),
    "peer": Contender(
        f"numpy argpartition in blocks of as many people, every {PEER_SHARE}th post",
        city,
        argpartition,
        None,
        1 / PEER_SHARE,
    ),
}


@dataclass(frozen=True)
class Measurement:
    """Processor and wall seconds of a call, and the peak of its process's memory in MiB."""

    seconds: float
    wall_seconds: float
    memory: float


def run(name: str, people: int, posts: int) -> Measurement:
    """Measure one contender in this process, and check its lists."""
    contender = CONTENDERS[name]
    data = contender.data(people, posts)
    cpu, wall = time.process_time(), time.perf_counter()
    found = contender.call(data)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    most = peak_mb()
    if found is not None and contender.part == 1.0:
        some = np.random.default_rng(SEED).choice(posts, 12, replace=False)
        check(data, found, some, who_may=name == "eligible")
    if name == "peer":
        assert found is not None
        exact = top_k(data.people, data.weights[::PEER_SHARE], LENGTH)
        np.testing.assert_allclose(found.score, exact.score, rtol=0, atol=1e-3)
    return Measurement(*spent, most)


def apart(name: str, people: int, posts: int) -> Measurement:
    """Measure one contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bench_shortlist", "--only", name]
    command += ["--people", str(people), "--posts", str(posts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measurement(**json.loads(done.stdout))


def best(people: int, posts: int, rounds: int) -> dict[str, Measurement]:
    """Return the least of each figure; contenders take turns."""
    turns: dict[str, list[Measurement]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            turns[name].append(apart(name, people, posts))
    return {
        name: Measurement(
            min(m.seconds for m in found), min(m.wall_seconds for m in found), min(m.memory for m in found)
        )
        for name, found in turns.items()
    }


def beside_product(people: int, *, name: str) -> Found:
    """Measure lists of a post for every fifty people beside the product, as a case of all benchmarks."""
    posts, measure = people // 50, run if people == QUICK_PEOPLE else apart
    bare, own = measure(YARDSTICK, people, posts), measure(name, people, posts)
    times = own.seconds, own.wall_seconds, bare.seconds
    return Found(own.seconds / bare.seconds, *times, space=own.memory, peak_mb=own.memory)


CASES = tuple(
    Case(f"shortlist.{name}", f"top-{LENGTH} shortlists, a post for every fifty people",
         CONTENDERS[name].what, "people", (10_000, 100_000, PEOPLE), QUICK_PEOPLE,
         partial(beside_product, name=name), {PEOPLE: Limit(RATIO_LIMIT, MEMORY_LIMIT)},
         peer="float32 product in the same blocks", space_unit="MB")
    for name in ("lists", "eligible")
)  # fmt: skip


HEADER = (
    "| what | CPU s | wall s | ratio to the product | limit | peak MiB | |",
    "|---|--:|--:|--:|--:|--:|---|",
)


def ratio(name: str, measured: dict[str, Measurement]) -> float:
    """Return how many times the product of the same posts a contender takes."""
    return measured[name].seconds / (measured[YARDSTICK].seconds * CONTENDERS[name].part)


def kept(name: str, measured: dict[str, Measurement]) -> bool:
    """Return whether a contender keeps its limits."""
    limit = CONTENDERS[name].limit
    return limit is None or (ratio(name, measured) <= limit and measured[name].memory <= MEMORY_LIMIT)


def row(name: str, measured: dict[str, Measurement], *, judged: bool) -> str:
    """Return a row of a Markdown table."""
    contender, m = CONTENDERS[name], measured[name]
    limit = contender.limit
    cells = [
        contender.what,
        f"{m.seconds:.2f}",
        f"{m.wall_seconds:.2f}",
        f"{ratio(name, measured):.2f}",
        "" if limit is None else f"≤ {limit:g}, ≤ {MEMORY_LIMIT:g} MiB",
        f"{m.memory:.0f}",
        "" if limit is None or not judged else "kept" if kept(name, measured) else "**missed**",
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Print a table and JSON; return 1 if a limit is missed at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few people and posts; limits are not judged")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--posts", type=int, default=POSTS)
    given = parser.parse_args(arguments)
    if given.only:
        print(json.dumps(asdict(run(given.only, given.people, given.posts))))
        return 0
    people, posts = (QUICK_PEOPLE, QUICK_POSTS) if given.quick else (given.people, given.posts)
    measured = best(people, posts, 1 if given.quick else given.rounds)
    print(
        f"{people:,} people × {posts:,} posts × {len(ASPECTS)} aspects, lists of {LENGTH}, one thread, "
        f"Python {platform.python_version()}, numpy {np.__version__}\n"
    )
    print(*HEADER, *(row(name, measured, judged=not given.quick) for name in CONTENDERS), sep="\n")
    record: list[dict[str, Any]] = [
        {"name": name, **asdict(m), "ratio": ratio(name, measured), "kept": kept(name, measured)}
        for name, m in measured.items()
    ]
    print("\n" + json.dumps({"people": people, "posts": posts, "rows": record}, ensure_ascii=False))
    return 0 if given.quick or all(kept(name, measured) for name in CONTENDERS) else 1


if __name__ == "__main__":
    sys.exit(main())
