"""Who may be proposed for which post: hard conditions, each with its rule, never weighed against a score.

A person is proposed only where every condition passes; unknown is not a pass. The conditions are dated rules
(``parameters.rule``), so that a place and a day decide what bars and for how long:

* ``reserve_excluded``: the person stands in the reserve on the date, and not in one of these states;
* ``review_departments``: every one of these departments has given a favourable opinion that is dated,
  documented and in force on the date;
* ``bar_<ground>``: an adverse opinion bars for as long as the rule of its ground says, counted from the day
  on which the ground ended; the corresponding day years later is the last one (民法典 art. 201, 202);
* ``post_full_member``: these posts take full party members;
* ``post_avoids_kin``: these posts take no close kin of a sitting member whom they supervise
  (:func:`kin_conflicts`, pair by pair).

Only a rule refuses. An adverse opinion without a document, without a ground, on a ground for which no rule
is in force, or on one whose years are over refuses nobody and clears nobody: it is unknown, and the
department is to be asked. Of several opinions of one department the last one given by the date counts; one
that is pending asks again, and neither clears nor bars. A bar outlasts the paper that it was told on: it ends
by its rule, or by a later opinion of the same department. Age, education, sex, ethnicity, religion, health,
petitions and property are no conditions and are not read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.contracts import table
from huanjie_lib.parameters import PERMANENT, ParameterSet, Rule
from huanjie_lib.vocabulary import (
    GateStatus,
    PersonStatus,
    PoliticalAffiliation,
    PostKind,
    Relation,
    ReviewOpinion,
    VettingGround,
    Word,
    date_text,
)

__all__ = ["Eligibility", "eligibility", "kin_conflicts", "kin_unchecked"]

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Days: TypeAlias = npt.NDArray[np.datetime64]

STATUSES = (GateStatus.PASS, GateStatus.UNKNOWN, GateStatus.FAIL)
"""From best to worst: the worst verdict on a person counts."""

GOOD, LACKING, PENDING, UNDATED, UNDOCUMENTED, OPEN_ENDED, EXPIRED = range(7)
OPINION_TEXT = {
    LACKING: "{}没有出具意见",
    PENDING: "{}尚在审查",
    UNDATED: "{}的意见没有出具日期",
    UNDOCUMENTED: "{}的意见没有依据材料",
    OPEN_ENDED: "{}的意见没有注明有效期",
    EXPIRED: "{}的意见已过有效期",
}
ONE_DAY_TWICE = "vettings: more than one opinion of a department on a person on one day"


@dataclass(frozen=True)
class Eligibility:
    """Verdicts on every person for every kind of post.

    Parameters
    ----------
    rules
        One row per rule that refuses a person or cannot be judged: person_ref, post (empty: all posts), rule,
        label, version (day from which the rule's wording is in force), source, status, reason (Chinese,
        without names), checked_on (day of the opinion or record it rests on), expires_on (last day of a bar;
        missing where it has none or its end is not known). By person, post, rule and reason.
    status
        ``pass``, ``unknown`` or ``fail`` by person_ref (sorted) and post.
    valid_until
        By person_ref, last day on which all opinions of the review are in force; missing where one is not, or
        one is adverse.
    as_of
        Date the verdicts hold for.
    version
        Version of the parameters.
    """

    rules: pd.DataFrame
    status: pd.DataFrame
    valid_until: pd.Series[Any]
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return number of people, how many pass for some post, the date and the parameter version."""
        some = int((self.status == GateStatus.PASS.value).any(axis=1).sum())
        return (
            f"Eligibility(people={len(self.status)}, eligible={some}, as_of={self.as_of}, "
            f"parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the rules that refuse or cannot be judged."""
        return self.rules.copy()

    def verdicts(self) -> pd.DataFrame:
        """Return person_ref, post and status of every person and post, one row each."""
        people, posts = self.status.shape
        codes = np.stack([self.status[post].cat.codes for post in self.status], axis=1).ravel()
        return pd.DataFrame(
            {
                "person_ref": pd.array(np.repeat(self.status.index.to_numpy(), posts), dtype="str"),
                "post": _words(np.tile(np.arange(posts), people), list(self.status.columns)),
                "status": _words(codes, [status.value for status in STATUSES]),
            }
        )

    def eligible(self, post: PostKind) -> Mask:
        """Return by person, in the order of ``status``, whether every condition of a post passes.

        Raises
        ------
        KeyError
            If the post was not judged.
        """
        return (self.status[post.value] == GateStatus.PASS.value).to_numpy()

    def explain(self, person_ref: str) -> str:
        """Return in Chinese what a person may be proposed for, and if not, which rule says so.

        Raises
        ------
        KeyError
            If there is no such person.
        """
        status: dict[Any, str] = self.status.loc[[person_ref]].iloc[0].to_dict()
        groups = {
            wanted: [PostKind.labels()[post] for post, found in status.items() if found == wanted.value]
            for wanted in STATUSES
        }
        parts = [
            f"{'各岗位' if len(named) == len(status) else '、'.join(named)}{wanted.label}"
            for wanted, named in groups.items()
            if named
        ]
        until = self.valid_until[person_ref]
        if not pd.isna(until):
            parts.append(f"审核意见有效期至{date_text(until)}")
        mine = self.rules[self.rules["person_ref"] == person_ref]
        reasons = [
            f"{PostKind.labels()[post] + '：' if post else ''}{reason}（{label}，{source}）"
            for post, reason, label, source in zip(
                mine["post"], mine["reason"], mine["label"], mine["source"], strict=True
            )
        ]
        return "；".join(parts) + "。" + "".join(f"{reason}。" for reason in reasons)


@dataclass(frozen=True)
class _Block:
    """Rows of one rule and one status: positions of people, reasons and their codes, and two dates each."""

    rule: Rule
    status: GateStatus
    post: str
    person: Ints
    texts: list[str]
    text: Ints
    checked_on: Days
    expires_on: Days


def eligibility(
    people: pd.DataFrame,
    vettings: pd.DataFrame | None,
    posts: Sequence[PostKind],
    parameters: ParameterSet,
    *,
    as_of: dt.date,
) -> Eligibility:
    """Judge every person for every kind of post on a date.

    Parameters
    ----------
    people
        person_ref, affiliation, status, registered_on, updated_on; one row per person, in any order.
    vettings
        Opinions of departments (contract ``vettings``), in any order; those given after the date are not
        known yet, those on other people are left aside. ``None`` where no department was asked.
    posts
        Kinds of post to judge.
    parameters
        Rules of the region.
    as_of
        The date.

    Returns
    -------
    Eligibility
        What is missing (an opinion, its date, document or expiry, an affiliation) is unknown and never a
        pass.

    Raises
    ------
    ValueError
        If a person has two rows, or a department two opinions on one person on one day.
    ParameterError
        If the rule ``review_departments`` is not in force on the date.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> people = pd.DataFrame({
    ...     "person_ref": ["P1"], "affiliation": ["13"], "status": ["selected"],
    ...     "registered_on": pd.to_datetime(["2026-01-05"]), "updated_on": pd.to_datetime(["2026-06-01"])})
    >>> departments = load_parameters().rule("review_departments", dt.date(2026, 10, 31)).value
    >>> vettings = pd.DataFrame({
    ...     "person_ref": "P1", "department": departments, "opinion": "favourable", "ground": None,
    ...     "ended_on": pd.NaT, "given_on": pd.Timestamp("2026-09-01"),
    ...     "expires_on": pd.Timestamp("2027-02-28"), "document": "联审〔2026〕1号"})
    >>> found = eligibility(
    ...     people, vettings, [PostKind.SECRETARY, PostKind.MEMBER], load_parameters(),
    ...     as_of=dt.date(2026, 10, 31))
    >>> found.eligible(PostKind.SECRETARY).tolist(), found.eligible(PostKind.MEMBER).tolist()
    ([False], [True])
    >>> print(found.explain("P1"))
    委员通过；党组织书记不通过；审核意见有效期至2027年2月28日。党组织书记：政治面貌为群众，须为正式党员（...）。
    """
    people = people.sort_values("person_ref", ignore_index=True)
    index = pd.Index(people["person_ref"], name="person_ref")
    if index.has_duplicates:
        raise ValueError("people: a person has more than one row")
    day = np.datetime64(as_of, "D")
    opinions = _opinions(vettings, index, day)
    review, valid_until = _review(opinions, len(index), parameters.rule("review_departments", as_of), day)
    bars = _bars(opinions, parameters, as_of)
    for bar in bars:
        valid_until[bar.person] = np.datetime64("NaT")
    blocks = [
        *_reserve(people, parameters.rule_in_force("reserve_excluded", as_of), day),
        *review,
        *bars,
        *_full_members(people, posts, parameters.rule_in_force("post_full_member", as_of)),
    ]
    worst = np.zeros((len(index), len(posts)), dtype=np.int8)
    names = [post.value for post in posts]
    for block in blocks:
        columns = range(len(posts)) if not block.post else [names.index(block.post)]
        for column in columns:
            rank = np.int8(STATUSES.index(block.status))
            worst[block.person, column] = np.maximum(worst[block.person, column], rank)
    statuses = [status.value for status in STATUSES]
    verdicts = {name: _words(worst[:, column], statuses) for column, name in enumerate(names)}
    return Eligibility(
        rules=_frame(blocks, index, names),
        status=pd.DataFrame(verdicts, index=index),
        valid_until=pd.Series(valid_until, index=index, name="valid_until"),
        as_of=as_of,
        version=parameters.version,
    )


def _opinions(vettings: pd.DataFrame | None, index: pd.Index[Any], day: np.datetime64) -> pd.DataFrame:
    """Return the opinions on these people known by a day, by position, department and day given.

    A missing department, opinion or ground is empty text; an opinion without a day comes first and is never
    the last of its department.
    """
    names = table("vettings").names
    given = vettings if vettings is not None else pd.DataFrame({name: [] for name in names}, dtype="str")
    frame = pd.DataFrame(
        {
            "person": index.get_indexer(pd.Index(given["person_ref"])),
            **{
                name: given[name].fillna("").astype("category")
                for name in ("department", "opinion", "ground")
            },
            "documented": given["document"].fillna("") != "",
            **{name: pd.to_datetime(given[name]) for name in ("ended_on", "given_on", "expires_on")},
        }
    )
    frame = frame[(frame["person"] >= 0) & ~(frame["given_on"] > day)].sort_values(
        ["person", "department", "given_on"], na_position="first", ignore_index=True
    )
    if frame[frame["given_on"].notna()].duplicated(["person", "department", "given_on"]).any():
        raise ValueError(ONE_DAY_TWICE)
    return frame


def _review(opinions: pd.DataFrame, people: int, rule: Rule, day: np.datetime64) -> tuple[list[_Block], Days]:
    """Return whose review is open, and until when the opinions on each person are all in force.

    An adverse opinion is no gap of the review: :func:`_bars` tells what it means.
    """
    required = list(rule.value) if isinstance(rule.value, tuple) else [str(rule.value)]
    asked = list(opinions["department"].cat.categories)
    departments = [*required, *(name for name in asked if name not in required)]
    place = np.array([departments.index(name) for name in asked], dtype=np.int64)
    codes = np.full((people, len(departments)), GOOD, dtype=np.int8)
    codes[:, : len(required)] = LACKING
    until = np.full((people, len(required)), np.datetime64("NaT", "D"))

    last = opinions.drop_duplicates(["person", "department"], keep="last")
    last = last[last["department"].isin(required)]
    person, column = last["person"].to_numpy(), place[last["department"].cat.codes]
    favourable, ends = (
        (last["opinion"] == ReviewOpinion.FAVOURABLE.value).to_numpy(),
        _days(last["expires_on"]),
    )
    codes[person, column] = state = np.select(
        [
            (last["opinion"] == ReviewOpinion.ADVERSE.value).to_numpy(),
            ~favourable,
            ~last["documented"].to_numpy(),
            np.isnat(ends),
            ends < day,
        ],
        [GOOD, PENDING, UNDOCUMENTED, OPEN_ENDED, EXPIRED],
        GOOD,
    )
    holds = favourable & (state == GOOD)
    until[person[holds], column[holds]] = ends[holds]
    undated = opinions[opinions["given_on"].isna()]
    codes[undated["person"], place[undated["department"].cat.codes]] = UNDATED

    gaps = np.flatnonzero((codes != GOOD).any(axis=1))
    pattern = np.zeros(len(gaps), dtype=np.int64)
    for number in range(len(departments)):
        pattern = pd.factorize(pattern * (EXPIRED + 1) + codes[gaps, number])[0]
    first = np.unique(pattern, return_index=True)[1]
    texts = [_review_text(codes[gaps[example]], departments, len(required)) for example in first]
    given = opinions.groupby("person")["given_on"].max().reindex(gaps)
    block = _Block(rule, GateStatus.UNKNOWN, "", gaps, texts, pattern, _days(given), _no_days(len(gaps)))
    lapses = until.min(axis=1)  # NaT where one is
    lapses[gaps] = np.datetime64("NaT")
    return [block], lapses


def _review_text(codes: npt.NDArray[np.int8], departments: Sequence[str], required: int) -> str:
    """Return in Chinese what is open in the review of one person."""
    if (codes[:required] == LACKING).all() and (codes[required:] == GOOD).all():
        return f"{required}个部门都没有出具意见"
    return "；".join(
        text.format("、".join(name for name, code in zip(departments, codes, strict=True) if code == one))
        for one, text in OPINION_TEXT.items()
        if (codes == one).any()
    )


def _bars(opinions: pd.DataFrame, parameters: ParameterSet, as_of: dt.date) -> list[_Block]:
    """Return what the adverse opinions mean that no later opinion of their department has replaced."""
    review = parameters.rule("review_departments", as_of)
    decided = opinions[
        opinions["given_on"].notna()
        & opinions["opinion"].isin([ReviewOpinion.FAVOURABLE.value, ReviewOpinion.ADVERSE.value])
    ]
    last = decided.drop_duplicates(["person", "department"], keep="last")
    adverse = last[last["opinion"] == ReviewOpinion.ADVERSE.value]
    blocks = []
    for ground in sorted(set(adverse["ground"])):
        rows = adverse[adverse["ground"] == ground]
        rule = parameters.rule_in_force(f"bar_{ground}", as_of) if ground else None
        ends = _bar_ends(rows, rule)
        over = ends < np.datetime64(as_of, "D")
        bars = rows["documented"].to_numpy() & ~over & (rule is not None)
        what = VettingGround.labels()[ground] if ground else ""
        texts = [
            _adverse_text(row, what, rule, None if pd.isna(end) else end, over=bool(past))
            for row, end, past in zip(rows.itertuples(index=False), pd.to_datetime(ends), over, strict=True)
        ]
        person, given = rows["person"].to_numpy(dtype=np.int64), _days(rows["given_on"])
        for status, where, last_days in (
            (GateStatus.FAIL, bars, ends),
            (GateStatus.UNKNOWN, ~bars, _no_days(len(rows))),
        ):
            at = np.flatnonzero(where)
            blocks.append(_Block(rule or review, status, "", person[at], texts, at, given[at], last_days[at]))
    return blocks


def _bar_ends(rows: pd.DataFrame, rule: Rule | None) -> Days:
    """Return the last day of each bar: the corresponding day years later; 29 February ends on the 28th."""
    if rule is None or rule.value == PERMANENT:
        return _no_days(len(rows))
    return _days(rows["ended_on"] + pd.DateOffset(years=int(str(rule.value))))


def _adverse_text(row: Any, what: str, rule: Rule | None, end: dt.date | None, *, over: bool) -> str:
    """Return in Chinese what an adverse opinion means: until when it bars, or what is to be asked."""
    text = f"{row.department}{date_text(row.given_on)}出具不同意意见"
    if not what:
        return f"{text}，没有写明事由，请补充"
    text += f"：{what}"
    if not row.documented:
        return f"{text}，没有依据材料，请补充"
    if rule is None:
        return f"{text}，当日没有对应的规定，请研究认定"
    if rule.value == PERMANENT:
        return f"{text}，不设年限"
    if end is None:
        return f"{text}，没有注明事由截止日期，期满日不能确定"
    if over:
        return f"{text}，已于{date_text(end)}期满，请重新出具意见"
    if rule.value == 0:
        return f"{text}，至{date_text(end)}止不得提名"
    return f"{text}，自{date_text(row.ended_on)}起{rule.value}年内不得提名，{date_text(end)}期满"


def _reserve(people: pd.DataFrame, rule: Rule | None, day: np.datetime64) -> list[_Block]:
    """Return who does not stand in the reserve, or not in a state from which one may be proposed."""
    if rule is None:
        return []
    registered, checked = _days(people["registered_on"]), _last_update(people)
    excluded = _listed(rule, PersonStatus)
    states = people["status"].astype("str").fillna("").to_numpy()
    later, undated = registered > day, np.isnat(registered)
    blocks = [
        _same(rule, GateStatus.FAIL, "", later, "截至当日尚未入库", checked),
        _same(rule, GateStatus.UNKNOWN, "", undated, "没有入库日期", checked),
        _same(rule, GateStatus.UNKNOWN, "", states == "", "没有填报培养状态", checked),
    ]
    for state in excluded:
        here = (states == state.value) & ~later
        blocks.append(_same(rule, GateStatus.FAIL, "", here, f"培养状态为{state.label}", checked))
    return blocks


def _full_members(people: pd.DataFrame, posts: Sequence[PostKind], rule: Rule | None) -> list[_Block]:
    """Return who is not, or not known to be, a full party member, for the posts that take none else."""
    listed = [] if rule is None else [post for post in posts if post in _listed(rule, PostKind)]
    if rule is None or not listed:
        return []
    affiliation, checked = people["affiliation"].astype("str").fillna("").to_numpy(), _last_update(people)
    others = [other for other in PoliticalAffiliation if other is not PoliticalAffiliation.PARTY_MEMBER]
    blocks = []
    for post in listed:
        missing = affiliation == ""
        blocks.append(_same(rule, GateStatus.UNKNOWN, post.value, missing, "没有填报政治面貌", checked))
        for other in others:
            text = f"政治面貌为{other.label}，须为正式党员"
            here = affiliation == other.value
            blocks.append(_same(rule, GateStatus.FAIL, post.value, here, text, checked))
    return blocks


def _same(rule: Rule, status: GateStatus, post: str, where: Mask, text: str, checked: Days) -> _Block:
    """Return a block of people who all have one reason."""
    person = np.flatnonzero(where)
    none = _no_days(len(person))
    return _Block(rule, status, post, person, [text], np.zeros_like(person), checked[person], none)


def _listed(rule: Rule, words: type[Word]) -> list[Any]:
    """Return the words that a rule lists."""
    values = rule.value if isinstance(rule.value, tuple) else (str(rule.value),)
    return [words.lookup()[value] for value in values]


def _words(codes: npt.NDArray[Any], among: Sequence[str]) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(codes, pd.Index(among))


def _last_update(people: pd.DataFrame) -> Days:
    return _days(people["updated_on"].fillna(people["registered_on"]))


def _days(dates: pd.Series[Any]) -> Days:
    return dates.to_numpy(dtype="datetime64[D]")


def _no_days(count: int) -> Days:
    return np.full(count, np.datetime64("NaT", "D"))


def _frame(blocks: Sequence[_Block], index: pd.Index[Any], posts: Sequence[str]) -> pd.DataFrame:
    """Return the rows of all blocks, repeated words as categories so that a million people fit in memory."""
    number = np.repeat(np.arange(len(blocks)), [len(block.person) for block in blocks])
    person = np.concatenate([block.person for block in blocks])
    texts = sorted({text for block in blocks for text in block.texts})
    place = {text: code for code, text in enumerate(texts)}
    reason = np.concatenate(
        [np.array([place[text] for text in block.texts], dtype=np.int64)[block.text] for block in blocks]
    )

    def of_block(values: Sequence[str], among: Sequence[str]) -> pd.Categorical[str]:
        return _words(np.array([among.index(value) for value in values])[number], among)

    said = {name: [read(block.rule) for block in blocks] for name, read in RULE_COLUMNS.items()}
    frame = pd.DataFrame(
        {
            "person_ref": pd.array(index.to_numpy()[person], dtype="str"),
            "post": of_block([block.post for block in blocks], ["", *posts]),
            **{name: of_block(values, sorted(set(values))) for name, values in said.items()},
            "status": of_block([block.status.value for block in blocks], [s.value for s in STATUSES]),
            "reason": _words(reason, texts),
            "checked_on": np.concatenate([block.checked_on for block in blocks]),
            "expires_on": np.concatenate([block.expires_on for block in blocks]),
        }
    ).astype({"checked_on": "datetime64[us]", "expires_on": "datetime64[us]"})
    order = np.lexsort((reason, frame["rule"].cat.codes, frame["post"].cat.codes, person))
    return frame.take(order).reset_index(drop=True)


RULE_COLUMNS: dict[str, Callable[[Rule], str]] = {
    "rule": lambda rule: rule.id,
    "label": lambda rule: rule.label,
    "version": lambda rule: rule.effective_from.isoformat(),
    "source": lambda rule: rule.source + rule.article,
}
"""What a row says of its rule."""


def kin_conflicts(
    people: pd.DataFrame,
    kinships: pd.DataFrame,
    members: pd.DataFrame,
    posts: pd.DataFrame,
    parameters: ParameterSet,
    *,
    as_of: dt.date,
) -> pd.DataFrame:
    """Return which posts of which units a person may not be proposed for, because of kin whom they supervise.

    Asked pair by pair and for these posts alone: kinship is never part of a score, and closes no other post
    and no other unit.

    Parameters
    ----------
    people
        person_ref.
    kinships
        person_ref, other_ref, relation; a pair may be declared from either side.
    members
        unit_code, person_ref, post, term_from, term_to of committee members (contract ``audit_subjects``);
        one without first day counts as in office, one without last day as still in office.
    posts
        unit_code, post.
    parameters
        Rules ``post_avoids_kin``, ``supervised_posts`` and ``kin_relations``.
    as_of
        The date.

    Returns
    -------
    pandas.DataFrame
        unit_code, post, person_ref, rule, label, version, source, status, reason, checked_on (missing),
        expires_on (missing: it ends with the kin's term or a change of rule); one row each, sorted by the
        first three. Empty where the first rule is not in force.

    Raises
    ------
    ParameterError
        If ``post_avoids_kin`` is in force and one of the other two rules is not.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> found = kin_conflicts(
    ...     pd.DataFrame({"person_ref": ["P1", "P2"]}),
    ...     pd.DataFrame({"person_ref": ["P1"], "other_ref": ["M1"], "relation": ["spouse"]}),
    ...     pd.DataFrame({"unit_code": ["u1"], "person_ref": ["M1"], "post": ["director"],
    ...                   "term_from": pd.to_datetime(["2021-12-01"]), "term_to": pd.NaT}),
    ...     pd.DataFrame({"unit_code": ["u1", "u1", "u2"], "post": ["supervision", "member", "supervision"]}),
    ...     load_parameters(), as_of=dt.date(2026, 10, 31))
    >>> found[["unit_code", "post", "person_ref", "reason"]].values.tolist()
    [['u1', 'supervision', 'P1', '与在任的村（居）委会成员是近亲属（配偶）']]
    """
    rule = parameters.rule_in_force("post_avoids_kin", as_of)
    avoided: list[PostKind] = [] if rule is None else _listed(rule, PostKind)
    pairs = pd.DataFrame(columns=["unit_code", "post", "person_ref", "relation"], dtype="str")
    if rule is not None:
        relations: list[Relation] = _listed(parameters.rule("kin_relations", as_of), Relation)
        sitting = _sitting(members, parameters, as_of)
        declared = kinships[["person_ref", "other_ref", "relation"]]
        turned = declared.rename(columns={"person_ref": "other_ref", "other_ref": "person_ref"})
        both = pd.concat([declared, turned[declared.columns]], ignore_index=True)
        both = both[both["relation"].isin(relations) & both["person_ref"].isin(people["person_ref"])]
        seats = sitting[["unit_code", "person_ref"]].rename(columns={"person_ref": "other_ref"})
        asked = posts.loc[posts["post"].isin([post.value for post in avoided]), ["unit_code", "post"]]
        rank = {relation.value: number for number, relation in enumerate(Relation)}
        pairs = (
            both.merge(seats, on="other_ref")
            .merge(asked, on="unit_code")
            .sort_values("relation", key=lambda named: named.map(rank))
            .drop_duplicates(["unit_code", "post", "person_ref"])
            .sort_values(["unit_code", "post", "person_ref"], ignore_index=True)
        )[pairs.columns]
    labels = pairs["relation"].map(Relation.labels())
    frame = pairs.drop(columns="relation").assign(
        **{name: "" if rule is None else read(rule) for name, read in RULE_COLUMNS.items()},
        status=GateStatus.FAIL.value,
        reason="与在任的村（居）委会成员是近亲属（" + labels + "）",
    )
    never = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]")
    return frame.astype("str").assign(checked_on=never, expires_on=never)


def kin_unchecked(
    members: pd.DataFrame,
    posts: pd.DataFrame,
    parameters: ParameterSet,
    *,
    as_of: dt.date,
    declared: bool,
) -> pd.DataFrame:
    """Return the posts that avoid kin and for which there is nothing to check that by.

    Arguments are those of :func:`kin_conflicts`; ``declared`` is whether anybody has declared kin. A post is
    told where nobody has, or none of those whom it supervises is known to be in office in its unit: nobody is
    refused for that, and nobody has been found free of kin there either.

    Returns
    -------
    pandas.DataFrame
        unit_code, post, reason (Chinese).

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> kin_unchecked(
    ...     pd.DataFrame({"unit_code": ["u2"], "person_ref": ["M1"], "post": ["director"],
    ...                   "term_from": pd.to_datetime(["2021-12-01"]), "term_to": pd.NaT}),
    ...     pd.DataFrame({"unit_code": ["u1", "u1"], "post": ["supervision", "member"]}),
    ...     load_parameters(), as_of=dt.date(2026, 10, 31), declared=True).values.tolist()
    [['u1', 'supervision', '在任的村（居）委会成员没有报送，回避关系未能核对']]
    """
    rule = parameters.rule_in_force("post_avoids_kin", as_of)
    avoided = [] if rule is None else [post.value for post in _listed(rule, PostKind)]
    asked = posts.loc[posts["post"].isin(avoided), ["unit_code", "post"]].reset_index(drop=True)
    if asked.empty:
        return asked.assign(reason=pd.array([], dtype="str"))
    known = asked["unit_code"].isin(_sitting(members, parameters, as_of)["unit_code"])
    reason = pd.Series("在任的村（居）委会成员没有报送，回避关系未能核对", index=asked.index, dtype="str")
    reason = reason.mask(known, "回避关系没有申报，未能核对")
    unchecked = asked.assign(reason=reason)
    return (unchecked[~known] if declared else unchecked).reset_index(drop=True)


def _sitting(members: pd.DataFrame, parameters: ParameterSet, as_of: dt.date) -> pd.DataFrame:
    """Return committee members in office on the date whom supervision is over."""
    supervised, day = _listed(parameters.rule("supervised_posts", as_of), PostKind), pd.Timestamp(as_of)
    return members[
        members["post"].isin([post.value for post in supervised])
        & ~(members["term_from"] > day)
        & ~(members["term_to"] < day)
    ]
