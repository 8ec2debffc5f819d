"""From gap to plan: what a person lacks for a post, and which step is meant to close it.

* **Gap.** What a person's fit for a profile lacks is a sum over aspects, ``100 − fit = Σ w_a (100 −
  mean_a)``. Of each part ``w_a (100 − high_a)`` is shown by evidence and ``w_a (high_a − mean_a)`` is only
  unknown: the first calls for cultivation, the second for evidence.
* **Gain.** A step is expected to raise aspects by the points that the pack declares, none beyond 100:
  ``Σ w_a (min(100, mean_a + rise_a) − mean_a)`` points of fit. It is an expectation to plan with; nobody is
  credited with it: what counts later is evidence.
* **Proposals.** Whoever has no step under way is proposed the step of the largest gain that was not completed
  within the last :data:`AGAIN_AFTER_DAYS` days; of equal gains the first of the pack. By falling gain, each
  goes to the mentor who leads the fewest people, below the most that the pack lets one mentor lead; where all
  are taken, it waits.
"""

from __future__ import annotations

import datetime as dt
import heapq
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import StepRule, TalentPack
from huanjie_lib.talent.eligibility import Eligibility
from huanjie_lib.talent.portrait import ASPECTS, Portraits
from huanjie_lib.talent.top_k import scores
from huanjie_lib.vocabulary import CultivationStep, GateStatus, Word, date_text

__all__ = ["Cultivation", "StepState", "best_aims", "cultivation", "raised"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]

AGAIN_AFTER_DAYS = 365
"""Days after its completion during which a step is not proposed to the same person again."""


class StepState(Word):
    """How far a step is; one without a due date can be late and is never taken to be in time."""

    PROPOSED = "proposed", "建议"
    WAITING = "waiting", "待导师"
    PLANNED = "planned", "未开始"
    RUNNING = "running", "进行中"
    UNDATED = "undated", "进行中（未填期限）"
    OVERDUE = "overdue", "逾期"
    DONE = "done", "已完成"


OPEN = (StepState.PLANNED, StepState.RUNNING, StepState.UNDATED, StepState.OVERDUE)
"""States of steps that a person and a mentor are busy with."""


@dataclass(frozen=True)
class Cultivation:
    """Gaps of people, their steps and proposals.

    Parameters
    ----------
    gaps
        person_ref, profile, label, aspect, weight, lost, shown, unknown: points of fit that each aspect of
        the profile lacks, and of these what evidence shows and what is unknown.
    steps
        plan_id (empty: proposed), person_ref, state, step, aspect (the one most of the gain comes from, for a
        proposal), mentor_ref, start_on, due_on, done_on, result, days_late, profile, gain (points of fit,
        missing for a plan), text. By person, then plans by start and number, then the proposal.
    progress
        By step and in all: planned, running, undated, overdue, done, done_late, and the share done in time of
        those that were due (missing where none was).
    as_of
        Date of the states.
    version
        Version of the talent pack.
    """

    gaps: pd.DataFrame
    steps: pd.DataFrame
    progress: pd.DataFrame
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return number of steps by state, the date and the pack's version."""
        found = self.steps["state"].value_counts()
        counts = ", ".join(
            f"{state.value}={found[state.value]}" for state in StepState if found.get(state.value)
        )
        return f"Cultivation({counts or 'steps=0'}, as_of={self.as_of}, parameters={self.version!r})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the steps, under way, done and proposed."""
        return self.steps.copy()

    def explain(self, person_ref: str) -> str:
        """Return in Chinese what a person lacks for the post aimed at and what is being done about it.

        Raises
        ------
        KeyError
            If nothing is known of such a person.
        """
        gaps = self.gaps[self.gaps["person_ref"] == person_ref]
        steps = self.steps[self.steps["person_ref"] == person_ref]
        if gaps.empty and steps.empty:
            raise KeyError(person_ref)
        text = ""
        if len(gaps):
            lost, shown = gaps["lost"].sum(), gaps["shown"].sum()
            text = f"距{gaps['label'].iloc[0]}的要求差{lost:.1f}分，其中{shown:.1f}分有依据"
            text += f"，{lost - shown:.1f}分尚无依据、先核实"
            largest = gaps.sort_values(["shown", "aspect"], ascending=[False, True]).iloc[0]
            if largest["shown"] > 0:
                text += f"；有依据的差距最大的是{_label(largest['aspect'])}（{largest['shown']:.1f}分）"
            text += "。"
        return text + "".join(f"{line}。" for line in steps["text"])


def _label(aspect: str) -> str:
    return ASPECTS[[a.value for a in ASPECTS].index(aspect)].label


def best_aims(
    portraits: Portraits, unit_kinds: pd.Series[Any], eligibility: Eligibility, pack: TalentPack
) -> pd.DataFrame:
    """Return for each person the profile that fits best among those that no rule refuses.

    Parameters
    ----------
    portraits
        Portraits.
    unit_kinds
        Kind of each person's home unit by person_ref; a person without one may be for either kind.
    eligibility
        Verdicts; a person for whom a condition is still to be verified may already be cultivated.
    pack
        Profiles; of equal fit the first of the pack.

    Returns
    -------
    pandas.DataFrame
        person_ref, profile, fit; without people who are refused every post.
    """
    refs = pd.Index(portraits.person_ref)
    kinds = unit_kinds.reindex(refs).astype("str").fillna("").to_numpy()
    status = eligibility.status.reindex(refs)
    fits = np.full((len(refs), len(pack.profiles)), -np.inf)
    for column, profile in enumerate(pack.profiles):
        verdict = status[profile.post.value]
        refused = (verdict.isna() | (verdict == GateStatus.FAIL.value)).to_numpy()
        elsewhere = False if profile.unit_kind is None else (kinds != "") & (kinds != profile.unit_kind.value)
        weights = np.array([profile.weights.get(aspect, 0.0) for aspect in ASPECTS])
        fits[:, column] = np.where(refused | elsewhere, -np.inf, scores(portraits.mean, weights))
    best = fits.argmax(axis=1)
    fit = fits[np.arange(len(refs)), best]
    names = np.array([profile.id for profile in pack.profiles], dtype=object)
    some = fit > -np.inf
    return pd.DataFrame(
        {
            "person_ref": pd.array(refs[some], dtype="str"),
            "profile": pd.array(names[best[some]], dtype="str"),
            "fit": fit[some],
        }
    )


def cultivation(
    portraits: Portraits, plans: pd.DataFrame, aims: pd.DataFrame, pack: TalentPack, *, as_of: dt.date
) -> Cultivation:
    """Return what people lack, how their steps stand on a date, and what is proposed.

    Parameters
    ----------
    portraits
        Portraits.
    plans
        Steps of cultivation (contract ``plans``); what is dated later than the date has not happened yet.
    aims
        person_ref and profile (id) that each is cultivated for, as :func:`best_aims` returns them; people
        without one get no gap and no proposal.
    pack
        Profiles and steps.
    as_of
        The date.

    Raises
    ------
    KeyError
        If an aim names a person who is not portrayed, or a profile that the pack does not have.
    ValueError
        If a person has two aims.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> from huanjie_lib.talent.portrait import portraits
    >>> pack = load_parameters().talent
    >>> evidence = pd.DataFrame({
    ...     "person_ref": ["P1"], "aspect": "finance", "kind": "appraisal", "year": 2025, "rating": 40.0,
    ...     "dated_on": pd.to_datetime(["2026-01-10"])})
    >>> portrayed = portraits(
    ...     pd.DataFrame({"person_ref": ["P1"]}), evidence, None, pack, as_of=dt.date(2026, 10, 31))
    >>> plans = pd.DataFrame({
    ...     "plan_id": ["T1"], "person_ref": "P9", "step": "affairs", "aspect": "finance", "mentor_ref": "M1",
    ...     "start_on": pd.to_datetime(["2026-01-01"]), "due_on": pd.to_datetime(["2026-06-30"]),
    ...     "done_on": pd.NaT, "result": float("nan")})
    >>> found = cultivation(
    ...     portrayed, plans, pd.DataFrame({"person_ref": ["P1"], "profile": ["supervision"]}), pack,
    ...     as_of=dt.date(2026, 10, 31))
    >>> print(found.explain("P1"))
    距监委会成员的要求差50.7分，其中4.1分有依据，46.6分尚无依据、先核实；...。建议跟班学习90天...。
    >>> print(found.explain("P9"))
    村级事务逾期123天（2026年6月30日到期）。
    """
    if aims["person_ref"].duplicated().any():
        raise ValueError("aims: a person has more than one")
    aims = aims.sort_values("person_ref", ignore_index=True)
    known = _states(plans, as_of)
    rows = np.array([portraits.row(ref) for ref in aims["person_ref"]], dtype=np.int64)
    profiles = {profile.id: profile for profile in pack.profiles}
    chosen = [profiles[profile] for profile in aims["profile"]]
    weights = np.array([[p.weights.get(a, 0.0) for a in ASPECTS] for p in chosen]).reshape(-1, len(ASPECTS))
    labels = [profile.label for profile in chosen]
    proposed = _proposals(portraits.mean[rows], weights, aims, labels, known, pack.steps, as_of)
    steps = pd.concat([known, proposed], ignore_index=True)
    order = steps.assign(late=steps["plan_id"] == "").sort_values(
        ["person_ref", "late", "start_on", "plan_id"], kind="stable"
    )
    return Cultivation(
        gaps=_gaps(portraits, rows, weights, aims, labels),
        steps=steps.loc[order.index].reset_index(drop=True),
        progress=_progress(known),
        as_of=as_of,
        version=f"{pack.id}@{pack.version}",
    )


def _gaps(
    portraits: Portraits, rows: Rows, weights: Floats, aims: pd.DataFrame, labels: list[str]
) -> pd.DataFrame:
    """Return the points of fit that each aspect of each aim lacks; aspects that don't count are left out."""
    person, aspect = np.nonzero(weights)
    weight = weights[person, aspect]
    mean, high = (values[rows[person], aspect] for values in (portraits.mean, portraits.high))
    return pd.DataFrame(
        {
            "person_ref": aims["person_ref"].to_numpy()[person],
            "profile": aims["profile"].to_numpy()[person],
            "label": np.array(labels, dtype=object)[person],
            "aspect": np.array([a.value for a in ASPECTS], dtype=object)[aspect],
            "weight": weight,
            "lost": weight * (100.0 - mean),
            "shown": weight * (100.0 - high),
            "unknown": weight * (high - mean),
        }
    ).astype(dict.fromkeys(("person_ref", "profile", "label", "aspect"), "str"))


def _states(plans: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Return the plans with their state on a date."""
    day = pd.Timestamp(as_of)
    start, due = plans["start_on"], plans["due_on"]
    done = plans["done_on"].where(plans["done_on"] <= day)
    state = np.select(
        [done.notna(), start > day, due.isna(), due < day],
        [StepState.DONE.value, StepState.PLANNED.value, StepState.UNDATED.value, StepState.OVERDUE.value],
        StepState.RUNNING.value,
    )
    late = (done.fillna(day) - due).dt.days.clip(lower=0)
    frame = plans[["plan_id", "person_ref", "step", "aspect", "mentor_ref", "start_on", "due_on"]].assign(
        state=pd.Series(state, index=plans.index, dtype="str"),
        done_on=done,
        result=plans["result"].astype("float64").where(done.notna()),
        days_late=late.where(start <= day).astype("Int64"),
        profile="",
        gain=np.nan,
    )
    texts = [
        _plan_text(CultivationStep.labels()[step], StepState.lookup()[state], due, days)
        for step, state, due, days in zip(
            frame["step"], frame["state"], frame["due_on"], frame["days_late"], strict=True
        )
    ]
    return frame.assign(text=pd.Series(texts, index=frame.index, dtype="str"))[STEP_COLUMNS]


STEP_COLUMNS = [
    *("plan_id", "person_ref", "state", "step", "aspect", "mentor_ref", "start_on", "due_on", "done_on"),
    *("result", "days_late", "profile", "gain", "text"),
]


def _plan_text(label: str, state: StepState, due: Any, days: Any) -> str:
    """Return in Chinese how a planned step stands."""
    if state is StepState.OVERDUE:
        return f"{label}逾期{days}天（{date_text(due)}到期）"
    if state is StepState.DONE and not pd.isna(days) and days > 0:
        return f"{label}{state.label}，晚{days}天"
    if state is StepState.RUNNING:
        return f"{label}{state.label}，{date_text(due)}到期"
    return f"{label}{state.label}"


def _progress(steps: pd.DataFrame) -> pd.DataFrame:
    """Return how many steps of each kind are in each state."""
    rows = []
    for step in (*CultivationStep, None):
        mine = steps if step is None else steps[steps["step"] == step.value]
        late = mine["days_late"].fillna(0) > 0
        done = mine["state"] == StepState.DONE.value
        overdue = mine["state"] == StepState.OVERDUE.value
        in_time = int((done & mine["days_late"].notna() & ~late).sum())
        due = in_time + int((done & late).sum()) + int(overdue.sum())
        counts = {state.value: int((mine["state"] == state.value).sum()) for state in (*OPEN, StepState.DONE)}
        rows.append(
            {
                "step": "" if step is None else step.value,
                "label": "合计" if step is None else step.label,
                **counts,
                "done_late": int((done & late).sum()),
                "share_in_time": in_time / due if due else np.nan,
            }
        )
    return pd.DataFrame(rows).astype({"step": "str", "label": "str"})


def raised(mean: Floats, rule: StepRule) -> Floats:
    """Return the aspects, the last axis, as a step is expected to leave them; none beyond 100.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> shadowing = next(r for r in load_parameters().talent.steps if r.step == "shadowing")
    >>> raised(np.full(12, 95.0), shadowing)[:4].tolist()
    [100.0, 100.0, 100.0, 95.0]
    """
    rise = np.array([rule.rise.get(aspect, 0.0) for aspect in ASPECTS])
    after: Floats = np.minimum(100.0, mean + rise)
    return after


def _proposals(
    mean: Floats,
    weights: Floats,
    aims: pd.DataFrame,
    labels: list[str],
    known: pd.DataFrame,
    rules: tuple[StepRule, ...],
    as_of: dt.date,
) -> pd.DataFrame:
    """Return one proposed step for everyone with an aim and no step under way."""
    busy = known[known["state"].isin(OPEN)]
    refs = pd.Index(aims["person_ref"])
    gains = np.zeros((len(refs), len(rules)))
    before = scores(mean, weights)
    lately = known[(known["done_on"] > pd.Timestamp(as_of) - pd.Timedelta(days=AGAIN_AFTER_DAYS))]
    for column, rule in enumerate(rules):
        again = refs.isin(lately.loc[lately["step"] == rule.step.value, "person_ref"])
        gains[:, column] = np.where(again, 0.0, scores(raised(mean, rule), weights) - before)
    gains[refs.isin(busy["person_ref"])] = 0.0
    gain = gains.max(axis=1, initial=0.0)
    best = gains.argmax(axis=1) if rules else np.zeros(len(refs), dtype=np.int64)
    chosen = np.flatnonzero(gain > 0)
    chosen = chosen[np.argsort(-gain[chosen], kind="stable")]  # then by pseudonym, as the aims come
    mentors = _mentors(known, busy, [rules[best[row]].per_mentor for row in chosen])
    start = pd.Timestamp(as_of) + pd.Timedelta(days=1)
    made = []
    for row, mentor in zip(chosen.tolist(), mentors, strict=True):
        rule = rules[best[row]]
        parts = weights[row] * (raised(mean[row], rule) - mean[row])
        what = [ASPECTS[a].label for a in np.argsort(-parts, kind="stable") if parts[a] > 0]
        text = (
            f"建议{rule.step.label}{rule.days}天，预计提高{'、'.join(what)}，对{labels[row]}的适配分由"
            f"{before[row]:.1f}分升至{before[row] + gain[row]:.1f}分{'' if mentor else '；暂无空闲导师'}"
        )
        made.append(
            {
                "plan_id": "",
                "person_ref": refs[row],
                "state": (StepState.PROPOSED if mentor else StepState.WAITING).value,
                "step": rule.step.value,
                "aspect": ASPECTS[int(parts.argmax())].value,
                "mentor_ref": mentor,
                "start_on": start if mentor else pd.NaT,
                "due_on": start + pd.Timedelta(days=rule.days) if mentor else pd.NaT,
                "done_on": pd.NaT,
                "result": np.nan,
                "days_late": pd.NA,
                "profile": aims["profile"].iloc[row],
                "gain": gain[row],
                "text": text,
            }
        )
    return pd.DataFrame(made, columns=STEP_COLUMNS).astype(known.dtypes.to_dict())


def _mentors(known: pd.DataFrame, busy: pd.DataFrame, most: list[int]) -> list[str | None]:
    """Return a mentor for each proposal in turn: the one with the fewest people, or none below the most."""
    load = busy.groupby("mentor_ref").size()
    queue = [(int(load.get(ref, 0)), ref) for ref in sorted(known["mentor_ref"].dropna().unique())]
    heapq.heapify(queue)
    found: list[str | None] = []
    for limit in most:
        if queue and queue[0][0] < limit:
            people, ref = queue[0]
            heapq.heapreplace(queue, (people + 1, ref))
            found.append(ref)
        else:
            found.append(None)
    return found
