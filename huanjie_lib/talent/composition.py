"""Committees that fit their posts and keep the rules on their structure, and what these rules cost.

Rules hold for a whole committee and are never a condition on a person: so many women, young members, members
with at least junior college (the pack's targets), no close kin on one committee, and a person sits once. What
is maximised, how, and how sure it is: :mod:`huanjie_lib.talent.teams`.

A member whom a hard target lacks costs 10,000 points of fit, an empty seat 1,000, a member whom another
target lacks what the pack says. So hard targets are kept as far as they can be, then seats are filled, and
what could not be is told: the smallest relaxation. Kin avoidance and sitting once are never relaxed.

**Protected attributes** come in as an argument of their own and are read here only. They never change a fit,
and whoever is left out is left out for the committee's sake, which the cost of the rule makes visible.

**Missing values**: a target counts only those of whom it is known. Age is the age reached in the year of
``as_of``, since years of birth are all that is held.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import TeamTarget
from huanjie_lib.talent.teams import Rule, TeamProblem, Teams, best_teams, least_lacking
from huanjie_lib.vocabulary import Education, PostKind, Sex

__all__ = [
    "HARD_TARGET",
    "KIN",
    "SEATS",
    "TELLING",
    "Compositions",
    "compose",
    "holds_for",
    "wanted_of_posts",
]

Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

HARD_TARGET = 10_000.0
"""Points of fit that a member whom a hard target lacks costs."""
EMPTY_SEATS: dict[str, float] = {
    PostKind.SECRETARY.value: 1800.0,
    PostKind.DIRECTOR.value: 1600.0,
    PostKind.DEPUTY.value: 1400.0,
    PostKind.MEMBER.value: 1200.0,
    PostKind.SUPERVISION.value: 1000.0,
}
"""Points of fit that an empty seat costs: where people do not suffice, leading posts come first."""
LEAST_SEAT = min(EMPTY_SEATS.values())
KIN, SEATS = "kin", "seats"
"""Rules beside the pack's targets."""
TELLING = 0.05
"""Share of fit above which the gap says nothing of fit: its bound keeps more targets or fills more seats."""

_LABELS = {KIN: "近亲属回避", SEATS: "职位配齐"}
_COLLEGE = {Education.DOCTOR, Education.MASTER, Education.BACHELOR, Education.COLLEGE}


@dataclass(frozen=True)
class Compositions:
    """A proposed committee for each unit.

    Parameters
    ----------
    teams
        ``unit_code``, ``post``, ``person_ref``, ``fit``; by unit, post and fit (highest first).
    checks
        One row per unit and target: ``unit_code``, ``target``, ``label``, ``hard``, ``wanted``, ``found``,
        ``able`` (candidates of the unit for whom it holds) and ``met``; and one per unit for ``seats``, which
        are all that is wanted.
    relaxed
        Rows of ``checks`` that are hard and not met: the smallest relaxation.
    costs
        ``unit_code``, ``rule`` (target or ``kin``), ``label`` and ``cost``: points of fit that the unit's
        best committee, of its own members and of people who sit nowhere, would have more without the rule;
        only where it would, and not where a hard target cannot be kept.
    objective
        Fit of all committees less penalties of targets that are not hard, points.
    bound
        No committees that lack as much can have more.
    least
        By target and ``seats``, how many members (or seats) are lacking whoever is chosen from the
        candidates, each target looked at alone.
    as_of
        Date for which ages are counted.
    version
        Version of the parameters, or empty.
    """

    teams: pd.DataFrame
    checks: pd.DataFrame
    relaxed: pd.DataFrame
    costs: pd.DataFrame
    objective: float
    bound: float
    least: dict[str, int]
    as_of: dt.date
    version: str = ""

    @property
    def gap(self) -> float:
        """Share of the objective by which better committees are not ruled out; see ``TELLING``."""
        return (self.bound - self.objective) / max(self.objective, 1.0)

    def __repr__(self) -> str:
        """Return numbers of units, seats, members, units that meet all targets, the gap, date and version."""
        seats = int(self.checks.loc[self.checks["target"] == SEATS, "wanted"].sum())
        rules = self.checks[self.checks["target"] != SEATS]
        units, missed = self.checks["unit_code"].nunique(), rules.loc[~rules["met"], "unit_code"].nunique()
        gap = f"gap={self.gap:.2%}, " if self.gap <= TELLING else ""
        version = f", parameters={self.version!r}" if self.version else ""
        return (
            f"Compositions(units={units}, meeting={units - missed}, seats={seats}, "
            f"members={len(self.teams)}, {gap}as_of={self.as_of}{version})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the members."""
        return self.teams.copy()

    @cached_property
    def _places(self) -> dict[str, dict[str, npt.NDArray[np.intp]]]:
        frames = {"teams": self.teams, "checks": self.checks, "costs": self.costs}
        return {
            name: {str(unit): np.asarray(rows) for unit, rows in frame.groupby("unit_code").indices.items()}
            for name, frame in frames.items()
        }

    def _of(self, table: str, unit_code: str) -> list[dict[str, Any]]:
        frame: pd.DataFrame = getattr(self, table)
        rows = self._places[table].get(unit_code, np.empty(0, dtype=np.intp))
        return [{str(k): v for k, v in row.items()} for row in frame.iloc[rows].to_dict("records")]

    def explain(self, unit_code: str) -> str:
        """Return in Chinese who many are proposed, which rules are kept, and what they cost.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        checks = self._of("checks", unit_code)
        if not checks:
            raise KeyError(unit_code)
        members, seats = self._of("teams", unit_code), next(c for c in checks if c["target"] == SEATS)
        fit = sum(member["fit"] for member in members)
        text = f"{unit_code}班子共{seats['wanted']}个职位，建议{len(members)}人"
        text += f"，适配分合计{fit:.1f}分" if members else ""
        if not seats["met"]:
            text += f"，空缺{seats['wanted'] - seats['found']}个（可用的候选人不够，请补充后备人选）"
        told = [_told(check) for check in checks if check["target"] != SEATS]
        text += "".join(f"；{sentence}" for sentence in told)
        spent = [f"“{cost['label']}”{cost['cost']:.1f}分" for cost in self._of("costs", unit_code)]
        text += f"。为满足班子结构，适配分少得：{'、'.join(spent)}" if spent else ""
        return text + "。以上只约束整个班子，不作为个人条件，供集体研究参考。"


def _told(check: dict[str, Any]) -> str:
    if check["met"]:
        return f"{check['label']}：有{check['found']}名，符合"
    why = "候选人中人数不够" if check["able"] < check["wanted"] else "合适的人在别的班子或岗位更需要"
    must = "须放宽或补充人选" if check["hard"] else "尽量补足"
    lacking = check["wanted"] - check["found"]
    return f"{check['label']}：有{check['found']}名，还差{lacking}名（{why}，{must}）"


def compose(
    edges: pd.DataFrame,
    seats: pd.DataFrame,
    people: pd.DataFrame,
    protected: pd.DataFrame,
    kinships: pd.DataFrame | None,
    targets: Sequence[TeamTarget],
    *,
    as_of: dt.date,
    unit_kinds: pd.Series[str] | None = None,
    gap: float = 0.005,
    version: str = "",
) -> Compositions:
    """Propose a committee for each unit.

    Parameters
    ----------
    edges
        Candidates: ``unit_code``, ``post``, ``person_ref``, ``fit`` (points). Enough of them, with others in
        each unit's lists, are those of :func:`huanjie_lib.talent.assignment.candidates`.
    seats
        ``unit_code``, ``post``, ``seats``.
    people
        ``person_ref``, ``birth_year``, ``education``.
    protected
        ``person_ref``, ``sex``, ``is_minority``.
    kinships
        ``person_ref``, ``other_ref`` of declared close kin, or ``None``.
    targets
        Targets of the pack.
    as_of
        Date for which ages are counted.
    unit_kinds
        Kind by unit code, where a target holds for one kind of unit only.
    gap
        Share of fit within which no better committees are looked for.
    version
        Version of the parameters, to be shown with the result.

    Returns
    -------
    Compositions

    Raises
    ------
    ValueError
        If a candidate is listed twice for a post or for a post without seats, a post twice, a fit is not
        finite, or a target needs kinds of units that are not given.

    Examples
    --------
    >>> edges = pd.DataFrame({"unit_code": "990101001201", "post": ["director", "director", "member"],
    ...                       "person_ref": ["P1", "P2", "P3"], "fit": [70.0, 66.0, 60.0]})
    >>> seats = pd.DataFrame({"unit_code": "990101001201", "post": ["director", "member"], "seats": [1, 1]})
    >>> people = pd.DataFrame({"person_ref": ["P1", "P2", "P3"], "birth_year": 1985, "education": "61"})
    >>> protected = pd.DataFrame({"person_ref": ["P1", "P2", "P3"], "sex": ["1", "2", "1"],
    ...                           "is_minority": False})
    >>> women = TeamTarget(id="women", label="至少一名妇女成员", measure="women", at_least=1, hard=True,
    ...                    source="示例")
    >>> teams = compose(edges, seats, people, protected, None, [women], as_of=dt.date(2026, 10, 31))
    >>> teams
    Compositions(units=1, meeting=1, seats=2, members=2, gap=0.00%, as_of=2026-10-31)
    >>> teams.teams["person_ref"].tolist()
    ['P2', 'P3']
    >>> teams.explain("990101001201")
    '990101001201班子共2个职位，建议2人，适配分合计126.0分；至少一名妇女成员：有1名，符合。为满足班子结构，适配分少得：“至少一名妇女成员”4.0分。以上只约束整个班子，不作为个人条件，供集体研究参考。'
    """
    posts = _posts(seats)
    pairs = _pairs(edges, posts)
    units = pd.Index(posts["unit_code"].unique())
    refs = pd.Index(np.unique(pairs["person_ref"].to_numpy(dtype=object).astype(str)), dtype="str")
    holds = {t.id: holds_for(t, refs, people, protected, as_of) for t in targets}
    rules = tuple(
        Rule(
            holds[t.id],
            _least(t, units, unit_kinds),
            HARD_TARGET if t.hard else t.penalty,
            posts["post"].isin([post.value for post in t.posts]).to_numpy() if t.posts else None,
        )
        for t in targets
    )
    problem = TeamProblem(
        post=pairs["row"].to_numpy(dtype=np.int64),
        person=refs.get_indexer(pairs["person_ref"]).astype(np.int64),
        fit=pairs["fit"].to_numpy(dtype=np.float64),
        seats=posts["seats"].to_numpy(dtype=np.int64),
        unit=units.get_indexer(posts["unit_code"]).astype(np.int64),
        people=len(refs),
        units=len(units),
        rules=rules,
        kin=_kin(kinships, refs),
        empty=np.array([EMPTY_SEATS.get(post, LEAST_SEAT) for post in posts["post"]], dtype=np.float64),
    )
    return _told_of(best_teams(problem, gap=gap), problem, pairs, units, targets, as_of, version)


def _posts(seats: pd.DataFrame) -> pd.DataFrame:
    """Return posts with seats, by unit and rank of the post."""
    posts = seats[["unit_code", "post", "seats"]]
    if posts.duplicated(["unit_code", "post"]).any():
        raise ValueError("a post stands twice in seats")
    if (posts["seats"] < 0).any():
        raise ValueError("seats must not be negative")
    rank = posts["post"].map({kind.value: number for number, kind in enumerate(PostKind)})
    posts = posts.assign(rank=rank.fillna(len(PostKind)))
    return posts.sort_values(["unit_code", "rank", "post"], kind="stable").reset_index(drop=True)


def _pairs(edges: pd.DataFrame, posts: pd.DataFrame) -> pd.DataFrame:
    """Return candidates with the row of their post, in its order."""
    if edges.duplicated(["unit_code", "post", "person_ref"]).any():
        raise ValueError("a candidate stands twice in a post's list")
    if not np.isfinite(edges["fit"].to_numpy(dtype=np.float64)).all():
        raise ValueError("fit must be finite")
    rows = posts.reset_index(names="row")[["unit_code", "post", "row"]]
    pairs = edges.merge(rows, on=["unit_code", "post"], how="left")
    if pairs["row"].isna().any():
        raise ValueError("candidates are listed for a post without seats")
    return pairs.sort_values(["row", "person_ref"], kind="stable").reset_index(drop=True)


def wanted_of_posts(
    target: TeamTarget, posts: pd.DataFrame, unit_kinds: pd.Series[str] | None = None
) -> Ints:
    """Return how many members a target asks of each post: of a unit all, where most seats count.

    Parameters
    ----------
    target
        A target of the pack.
    posts
        ``unit_code``, ``post``, ``seats``.
    unit_kinds
        Kind by unit code, where the target holds for one kind of unit only.

    Returns
    -------
    numpy.ndarray
        Members by row of ``posts``; less than asked where seats that count do not suffice.

    Examples
    --------
    >>> women = TeamTarget(id="women", label="妇女成员", measure="women", at_least=2, hard=True,
    ...                    source="示例", posts=(PostKind.DIRECTOR, PostKind.MEMBER))
    >>> posts = pd.DataFrame({"unit_code": "990101001201", "post": ["secretary", "director", "member"],
    ...                       "seats": [5, 1, 1]})
    >>> wanted_of_posts(women, posts).tolist()
    [0, 1, 1]
    """
    counted = {post.value for post in target.posts or PostKind}
    rows = posts[["unit_code", "seats"]].reset_index(drop=True)
    rows = rows.assign(seats=rows["seats"].where(posts["post"].isin(counted).to_numpy(), 0))
    rows = rows.sort_values(["unit_code", "seats"], ascending=[True, False], kind="stable")
    before = rows.groupby("unit_code")["seats"].cumsum() - rows["seats"]
    units = pd.Index(rows["unit_code"])
    asked = before.rsub(_least(target, units, unit_kinds)).clip(lower=0)
    return asked.clip(upper=rows["seats"]).sort_index().to_numpy(dtype=np.int64)


def holds_for(
    target: TeamTarget, refs: pd.Index, people: pd.DataFrame, protected: pd.DataFrame, as_of: dt.date
) -> Bools:
    """Return of whom of ``refs`` a target is known to hold; other arguments as in :func:`compose`."""
    if target.measure in ("women", "minority"):
        own = protected.set_index("person_ref").reindex(refs)
        known = own["sex"] == Sex.FEMALE.value if target.measure == "women" else own["is_minority"].eq(True)
    else:
        own = people.set_index("person_ref").reindex(refs)
        known = (
            own["education"].isin([one.value for one in _COLLEGE])
            if target.measure == "educated"
            else as_of.year - own["birth_year"] <= (target.age or 0)
        )
    return known.fillna(False).to_numpy(dtype=bool)


def _least(target: TeamTarget, units: pd.Index, kinds: pd.Series[str] | None) -> Ints:
    if target.unit_kind is None:
        return np.full(len(units), target.at_least, dtype=np.int64)
    if kinds is None:
        raise ValueError(f"target {target.id} needs kinds of units")
    return np.where(kinds.reindex(units) == target.unit_kind.value, target.at_least, 0).astype(np.int64)


def _kin(kinships: pd.DataFrame | None, refs: pd.Index) -> Ints | None:
    if kinships is None:
        return None
    sides = (pd.Index(kinships[column]) for column in ("person_ref", "other_ref"))
    pairs = np.stack([refs.get_indexer(side) for side in sides], axis=1)
    pairs = np.sort(pairs[(pairs >= 0).all(axis=1)], axis=1)
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0).astype(np.int64)


def _told_of(
    found: Teams,
    problem: TeamProblem,
    pairs: pd.DataFrame,
    units: pd.Index,
    targets: Sequence[TeamTarget],
    as_of: dt.date,
    version: str,
) -> Compositions:
    unit = problem.unit[problem.post]
    order = np.lexsort((pairs["person_ref"], -problem.fit, problem.post))
    teams = pairs.iloc[order[found.taken[order]]][["unit_code", "post", "person_ref", "fit"]]
    wanted = np.bincount(problem.unit, weights=problem.seats, minlength=len(units)).astype(np.int64)
    filled = np.bincount(unit[found.taken], minlength=len(units))
    listed = np.unique(np.stack([unit, problem.person], axis=1), axis=0)
    able = np.bincount(listed[:, 0], minlength=len(units))
    rows = [_check(units, SEATS, _LABELS[SEATS], True, wanted, filled, able)]
    for target, rule in zip(targets, problem.rules, strict=True):
        helps = rule.pairs(problem.post, problem.person)
        counted = np.bincount(unit[found.taken & helps], minlength=len(units))
        listed = np.unique(np.stack([unit[helps], problem.person[helps]], axis=1), axis=0)
        able = np.bincount(listed[:, 0], minlength=len(units))
        check = _check(units, target.id, target.label, target.hard, rule.least, counted, able)
        rows.append(check[rule.least > 0])
    checks = pd.concat(rows).sort_values("unit_code", kind="stable").reset_index(drop=True)
    relaxed = checks[checks["hard"] & ~checks["met"]].reset_index(drop=True)
    names = [*((t.id, t.label) for t in targets), (KIN, _LABELS[KIN])]
    spent = found.cost.copy()
    hard = np.array([target.hard for target in targets], dtype=bool)
    spent[:, : len(targets)][(found.lacking > 0) & hard] = 0.0  # a must that is missed costs no fit
    at, which = np.nonzero(spent)
    costs = pd.DataFrame(
        {
            "unit_code": units[at].to_numpy(),
            "rule": [names[k][0] for k in which],
            "label": [names[k][1] for k in which],
            "cost": np.round(spent[at, which], 6),
        }
    ).astype({"unit_code": "str", "rule": "str", "label": "str"})
    left = problem.seats - np.bincount(problem.post[found.taken], minlength=len(problem.seats))
    lifted = float((problem.empty_seat * left).sum()) + HARD_TARGET * float(found.lacking[:, hard].sum())
    return Compositions(
        teams=teams.reset_index(drop=True),
        checks=checks,
        relaxed=relaxed,
        costs=costs,
        objective=found.value + lifted,
        bound=found.bound + lifted,
        least={
            SEATS: least_lacking(problem),
            **{
                target.id: least_lacking(problem, rule)
                for target, rule in zip(targets, problem.rules, strict=True)
            },
        },
        as_of=as_of,
        version=version,
    )


def _check(
    units: pd.Index, target: str, label: str, hard: bool, wanted: Ints, found: Ints, able: Ints
) -> pd.DataFrame:
    frame = pd.DataFrame({"unit_code": units, "target": target, "label": label, "hard": hard})
    return frame.assign(wanted=wanted, found=found, able=able, met=found >= wanted)
