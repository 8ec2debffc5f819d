"""What can be put right in each unit: the rows behind alerts, and the values that are asked for.

A rectification form is made from these rows, so that whoever puts a case right fills in a date or a choice
instead of naming tables and columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.contracts import TABLES
from huanjie_lib.risk.audits import (
    CONCLUDED,
    current_projects,
    member_state,
    of_current_project,
    problem_state,
)
from huanjie_lib.risk.indicators import latest_report
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Bools, Rows
from huanjie_lib.vocabulary import (
    AuditItem,
    AuditOutcome,
    DisputeCategory,
    PostKind,
    ReviewOpinion,
    RollCohort,
    TalkTarget,
    UnitKind,
)

__all__ = ["RECTIFIABLE_COLUMNS", "rectifiable"]

RECTIFIABLE_COLUMNS: Final = (
    "unit_code",
    "item_id",
    "causes",
    "table",
    "insert",
    "key",
    "fixed",
    "label",
    "fields",
)

_ASKED: Final[Mapping[tuple[str, bool], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    ("audit_projects", True): (
        ("audit_type", "plan_on", "started_on", "departments", "supervision_present", "representatives"),
        ("audit_type", "started_on"),
    ),
    ("audit_items", False): (("outcome", "concluded_on", "amount"), ("outcome", "concluded_on")),
    ("audit_subjects", True): (
        ("person_ref", "post", "term_from", "outcome", "concluded_on"),
        ("person_ref", "post", "outcome", "concluded_on"),
    ),
    ("audit_subjects", False): (("outcome", "concluded_on"), ("outcome", "concluded_on")),
    ("audit_notices", True): (
        ("start_on", "end_on", "place", "objections", "answered"),
        ("start_on", "end_on", "place"),
    ),
    ("audit_notices", False): (("end_on", "answered"), ("end_on", "answered")),
    ("audit_problems", False): (("closed_on", "due_on", "owner"), ()),
    ("disputes", False): (
        ("resolved_on", "has_leader", "stabilisation_plan_on", "resolution_plan_on"),
        (),
    ),
    ("unit_plans", False): (("leader", "leader_on", "stabilisation_plan_on", "resolution_plan_on"), ()),
    ("screenings", True): (
        ("screened_on", "method", "led_by_secretary", "households_visited"),
        ("screened_on", "method"),
    ),
    ("talks", False): (("done",), ("done",)),
    ("reviews", False): (("opinion", "given_on", "expires_on"), ("opinion", "given_on", "expires_on")),
    ("roll_checks", False): (
        (
            "hukou_adults",
            "away_declined",
            "nonlocal_approved",
            "disqualified",
            "registered",
            "duplicates",
        ),
        (),
    ),
    ("leavers", False): (("arrangement", "arranged_on"), ("arrangement", "arranged_on")),
}
"""Columns that a form asks for, and those of them that must be filled in, by table and kind of change."""

ROLL_SIGNALS: Final = frozenset({"roll_gap", "roll_duplicates", "registration_surge"})
"""Signals after which the figures of the voter roll may be put right."""


def rectifiable(at: Moment, signals: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what can be put right in each unit in force on a date.

    Parameters
    ----------
    at
        Prepared tables, parameters and date; nothing dated later is used.
    signals
        Flags of the anomaly checks (``unit_code``, ``signal``): the voter roll of units flagged there may be
        put right.

    Returns
    -------
    pandas.DataFrame
        unit_code; item_id, unique within the unit; causes, the alerts it answers (``gate:<id>``,
        ``problem:<problem_id>``, ``dispute:<dispute_id>``, ``plan``, ``signal:<id>``, ``objections``,
        ``talks``, ``leavers``)
        joined by ``|``; table; insert, whether a row is added; key and fixed (JSON: the row, or values of an
        added row that are given); label (Chinese); fields (JSON list of column, label, kind, unit, required,
        maximum, options). By unit code and item.

    Examples
    --------
    >>> import datetime as dt
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.risk.prepared import prepare
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> items = rectifiable(Moment(prepare({"units": units}), load_parameters(), dt.date(2026, 10, 31)))
    >>> items[["table", "causes"]].values.tolist()
    [['screenings', 'gate:screening'], ['unit_plans', 'plan']]
    """
    found = [row for part in _parts(at, signals) for row in part]
    frame = pd.DataFrame(found, columns=list(RECTIFIABLE_COLUMNS))
    texts = [name for name in RECTIFIABLE_COLUMNS if name != "insert"]
    frame = frame.astype({**dict.fromkeys(texts, "str"), "insert": "bool"})
    in_force = set(at.prepared.units["unit_code"].astype("str")[at.prepared.in_force(at.day)])
    frame = frame[frame["unit_code"].isin(in_force)]
    return frame.sort_values(["unit_code", "item_id"], kind="stable", ignore_index=True)


def _parts(at: Moment, signals: pd.DataFrame | None) -> Iterator[Iterator[dict[str, Any]]]:
    yield _audits(at)
    yield _members(at)
    yield _unlisted(at)
    yield _notices(at)
    yield _problems(at)
    yield _disputes(at)
    yield _for_every_unit(at)
    yield _talks(at)
    yield _reviews(at)
    yield _leavers(at)
    if signals is not None:
        yield _roll(at, signals)


def _item(
    unit_code: str,
    table: str,
    label: str,
    causes: Sequence[str],
    *,
    key: Mapping[str, str] | None = None,
    fixed: Mapping[str, Any] | None = None,
    asked: Sequence[str] | None = None,
    most: Mapping[str, int] | None = None,
    whose: str = "",
) -> dict[str, Any]:
    """Return one row; without a key a row is to be added, ``whose`` tells several of a unit apart.

    ``asked`` are the columns to fill in where they are not those of the table, ``most`` bounds values.
    """
    insert = key is None
    named = f"+{whose}" if key is None else "/".join(key.values())
    return {
        "unit_code": unit_code,
        "item_id": f"{table}/{named or '-'}",
        "causes": "|".join(causes),
        "table": table,
        "insert": insert,
        "key": json.dumps(key or {}, ensure_ascii=False, sort_keys=True),
        "fixed": json.dumps(fixed or {}, ensure_ascii=False, sort_keys=True),
        "label": label,
        "fields": _fields(table, insert, tuple(asked or ()), tuple((most or {}).items())),
    }


@lru_cache(maxsize=4096)
def _fields(table: str, insert: bool, columns: tuple[str, ...], most: tuple[tuple[str, int], ...]) -> str:
    asked, required = _ASKED[table, insert]
    contract = TABLES[table]
    fields = []
    for name in columns or asked:
        column = contract.column(name)
        options = (
            None
            if column.words is None
            else [{"value": word, "label": label} for word, label in column.words.labels().items()]
        )
        fields.append(
            {
                "column": name,
                "label": column.label,
                "kind": column.kind,
                "unit": column.unit,
                "required": name in required,
                "maximum": dict(most).get(name, column.maximum),
                "options": options,
            }
        )
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


def _codes(at: Moment) -> list[str]:
    return [str(code) for code in at.prepared.units["unit_code"]]


def _taken(at: Moment, rows: Rows, mask: Bools, *columns: str) -> Iterator[tuple[str, ...]]:
    """Yield unit code and texts of the given columns of the rows in a mask; a missing text is empty."""
    codes = _codes(at)
    places = np.flatnonzero(mask)
    texts = [rows.frame[name].iloc[places] for name in columns]
    words = [t.dt.strftime("%Y-%m-%d") if t.dtype.kind == "M" else t.astype("str") for t in texts]
    shown = [text.fillna("").to_numpy(dtype=object) for text in words]  # an Arrow column is slow to walk
    yield from zip((codes[u] for u in rows.unit[places]), *shown, strict=True)


def _project_ids(at: Moment) -> list[str]:
    """Return by unit the number of the audit project that counts; empty where there is none."""
    current, projects = current_projects(at), at.inherited("audit_projects")
    if current is None or projects is None:
        return [""] * at.size
    ids = projects.frame["project_id"].astype("str").to_numpy()
    return [str(ids[row]) if row >= 0 else "" for row in current[0]]


def _audits(at: Moment) -> Iterator[dict[str, Any]]:
    """Yield units without an audit, and items of the current one without a clear conclusion."""
    items = at.inherited("audit_items")
    settled: set[tuple[str, str]] = set()
    if items is not None:
        clear = (
            of_current_project(at, items)
            & (items.day("concluded_on") <= at.day)
            & items.equals("outcome", AuditOutcome.CLEAR.value)
        )
        settled = {(unit, item) for unit, item in _taken(at, items, clear, "item")}
    kinds = at.prepared.units["unit_kind"]
    if at.inherited("audit_projects") is None:
        return
    for unit, kind, project in zip(_codes(at), kinds, _project_ids(at), strict=True):
        if not project:
            gates = ("gate:audit_items", "gate:audit_members", "gate:audit_clear")
            yield _item(unit, "audit_projects", "开展审计（登记审计项目）", gates)
            continue
        for item in AuditItem.required(UnitKind.lookup()[kind]):
            if (unit, item.value) not in settled:
                yield _item(
                    unit,
                    "audit_items",
                    f"{item.label}的审计结论",
                    ("gate:audit_items", "gate:audit_clear"),
                    key={"project_id": project, "item": item.value},
                )


def _members(at: Moment) -> Iterator[dict[str, Any]]:
    subjects = at.inherited("audit_subjects")
    if subjects is None:
        return
    done = (subjects.day("concluded_on") <= at.day) & subjects.equals("outcome", *CONCLUDED)
    clear = done & subjects.equals("outcome", AuditOutcome.CLEAR.value)
    posts = PostKind.labels()
    for unit, project, person, post in _taken(
        at, subjects, of_current_project(at, subjects) & ~clear, "project_id", "person_ref", "post"
    ):
        yield _item(
            unit,
            "audit_subjects",
            f"{posts.get(post, post)}（代号{person[-4:]}）的经济责任审计结论",
            ("gate:audit_members", "gate:audit_clear"),
            key={"project_id": project, "person_ref": person},
        )


def _unlisted(at: Moment) -> Iterator[dict[str, Any]]:
    """Yield members due who stand on no list: leavers by pseudonym, others by how many they are."""
    state, leavers = member_state(at), at.inherited("leavers")
    if state is None:
        return
    projects, causes = _project_ids(at), ("gate:audit_members",)
    listed = at.count(state.rows, state.listed)
    lacking = np.where(listed > 0, state.due - state.gone - listed, np.nan)
    for unit, project, number in zip(_codes(at), projects, lacking.tolist(), strict=True):
        if project and not number <= 0:  # NaN: nobody is listed yet
            told = "还没有审计对象名单" if np.isnan(number) else f"名单还少{number:.0f}人"
            label = f"补列一名审计对象并登记审计结论（{told}，逐人登记）"
            yield _item(unit, "audit_subjects", label, causes, fixed={"project_id": project})
    if leavers is None or state.leavers is None:
        return
    place = {unit: number for number, unit in enumerate(_codes(at))}
    for unit, person, left in _taken(at, leavers, state.leavers, "person_ref", "left_on"):
        project = projects[place[unit]]
        if project:
            yield _item(
                unit,
                "audit_subjects",
                f"未列入名单的离任人员（代号{person[-4:]}）的经济责任审计结论",
                causes,
                fixed={"project_id": project, "person_ref": person} | ({"term_to": left} if left else {}),
                asked=("post", "outcome", "concluded_on"),
                whose=person,
            )


def _notices(at: Moment) -> Iterator[dict[str, Any]]:
    for unit, project in zip(_codes(at), _project_ids(at), strict=True):
        if project:
            fixed = {"project_id": project}
            yield _item(unit, "audit_notices", "补做一次审计公示", ("gate:audit_notices",), fixed=fixed)
    notices = at.inherited("audit_notices")
    if notices is None:
        return
    posted = of_current_project(at, notices) & (notices.day("start_on") <= at.day)
    still = posted & (notices.day("end_on") == NEVER)
    received, answered = notices.number("objections"), notices.number("answered")
    pending = posted & (received > 0) & ~(answered >= received)
    chosen = np.flatnonzero(still | pending)
    rows = _taken(at, notices, still | pending, "notice_id", "start_on", "objections")
    for place, (unit, notice, start, objections) in zip(chosen, rows, strict=True):
        asked = ("end_on",) * bool(still[place]) + ("answered",) * bool(pending[place])
        what = "、".join(_NOTICE_WORDS[name].format(objections) for name in asked)
        yield _item(
            unit,
            "audit_notices",
            f"{start}起的公示：{what}",
            ("objections", "gate:audit_notices"),
            key={"notice_id": notice},
            asked=asked,
            most={"answered": int(objections)} if pending[place] else None,
        )


_NOTICE_WORDS: Final = {"end_on": "填结束日期", "answered": "收到异议{}件，填累计答复件数"}


def _problems(at: Moment) -> Iterator[dict[str, Any]]:
    problems = problem_state(at)
    if problems is None:
        return
    labels = AuditItem.labels()
    open_rows = _taken(at, problems.rows, problems.is_open, "problem_id", "item", "found_on")
    for unit, problem, item, found in open_rows:
        yield _item(
            unit,
            "audit_problems",
            f"{labels.get(item, item)}方面的审计问题（{found}发现）",
            (f"problem:{problem}", "gate:audit_problems"),
            key={"problem_id": problem},
        )


def _disputes(at: Moment) -> Iterator[dict[str, Any]]:
    disputes = at.inherited("disputes")
    if disputes is None:
        return
    is_open = (disputes.day("opened_on") <= at.day) & (disputes.day("resolved_on") > at.day)
    labels = DisputeCategory.labels()
    for unit, dispute, category, opened in _taken(
        at, disputes, is_open, "dispute_id", "category", "opened_on"
    ):
        yield _item(
            unit,
            "disputes",
            f"{labels.get(category, category)}（{opened}发生）",
            (f"dispute:{dispute}",),
            key={"dispute_id": dispute},
        )


def _for_every_unit(at: Moment) -> Iterator[dict[str, Any]]:
    for unit in _codes(at):
        yield _item(unit, "screenings", "开展一次矛盾摸排", ("gate:screening",))
        yield _item(unit, "unit_plans", "包干领导、稳控预案、化解方案", ("plan",), key={})


def _talks(at: Moment) -> Iterator[dict[str, Any]]:
    talks = at.inherited("talks")
    if talks is None:
        return
    lacking = latest_report(at, talks) & ~(talks.number("done") >= talks.number("due"))
    labels = TalkTarget.labels()
    for unit, as_of, target, due in _taken(at, talks, lacking, "as_of", "target", "due"):
        yield _item(
            unit,
            "talks",
            f"与{labels.get(target, target)}的谈心谈话（应谈{due}人，填累计已谈人数）",
            ("talks",),
            key={"as_of": as_of, "target": target},
            most={"done": int(due)},
        )


def _reviews(at: Moment) -> Iterator[dict[str, Any]]:
    reviews = at.inherited("reviews")
    if reviews is None:
        return
    given = (reviews.day("given_on") <= at.day) & reviews.equals(
        "opinion", ReviewOpinion.FAVOURABLE.value, ReviewOpinion.ADVERSE.value
    )
    expires = reviews.day("expires_on")
    adverse = given & reviews.equals("opinion", ReviewOpinion.ADVERSE.value)
    sound = given & ~adverse & (expires >= at.day) & (expires != NEVER)
    everything = np.ones(len(reviews), dtype=bool)
    asked = dict.fromkeys(_taken(at, reviews, ~sound, "candidate_ref", "department"))
    listed = list(_taken(at, reviews, everything, "candidate_ref", "department"))
    people = dict.fromkeys((unit, candidate) for unit, candidate, _ in listed)
    wanted = ((unit, person, department) for unit, person in people for department in _departments(at))
    asked |= dict.fromkeys(set(wanted) - set(listed))
    for unit, candidate, department in asked:
        yield _item(
            unit,
            "reviews",
            f"{department}对人选（代号{candidate[-4:]}）的联审意见",
            ("gate:reviews",),
            key={"candidate_ref": candidate, "department": department},
        )


def _departments(at: Moment) -> tuple[str, ...]:
    """Return the departments whose opinion the pack's gate asks for; none where there is no such gate."""
    gates = () if at.parameters.gates is None else at.parameters.gates.gates
    for gate in gates:
        if gate.check == "reviews_complete":
            return tuple(at.parameters.options(gate.options, at.date)["departments"])
    return ()


def _leavers(at: Moment) -> Iterator[dict[str, Any]]:
    leavers = at.inherited("leavers")
    if leavers is None:
        return
    waiting = (leavers.day("left_on") <= at.day) & (leavers.day("arranged_on") > at.day)
    for unit, person in _taken(at, leavers, waiting, "person_ref"):
        yield _item(
            unit,
            "leavers",
            f"离任人员（代号{person[-4:]}）的安置",
            ("leavers",),
            key={"person_ref": person},
        )


def _roll(at: Moment, signals: pd.DataFrame) -> Iterator[dict[str, Any]]:
    checks = at.inherited("roll_checks")
    if checks is None:
        return
    flagged = signals[signals["signal"].isin(ROLL_SIGNALS)]
    kinds = {str(unit): sorted(rows) for unit, rows in flagged.groupby("unit_code")["signal"]}
    labels = RollCohort.labels()
    for unit, as_of, cohort in _taken(at, checks, latest_report(at, checks), "as_of", "cohort"):
        if unit in kinds:
            yield _item(
                unit,
                "roll_checks",
                f"{labels.get(cohort, cohort)}选民登记核对（{as_of}）",
                [f"signal:{kind}" for kind in kinds[unit]],
                key={"as_of": as_of, "cohort": cohort},
            )
