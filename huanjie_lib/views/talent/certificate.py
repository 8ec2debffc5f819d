"""The proof that protected attributes change nothing, as it may be shown."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from huanjie_lib.access.suppression import HIDDEN, SMALLEST, CountTable, suppress
from huanjie_lib.contracts import TABLES
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.fairness import CHANGES
from huanjie_lib.talent.parity import LEAST, Impact, label_of
from huanjie_lib.views.talent.rows import records
from huanjie_lib.views.words import count_text, present
from huanjie_lib.vocabulary import GateStatus, share_text

__all__ = ["proof"]

_ATTRIBUTES: Final = {"age": "年龄"}
"""What attributes are called that are columns of no table."""
_YES_NO: Final = {"True": True, "False": False}
"""Values of yes-or-no attributes, which lie as text beside those of others."""


def proof(run: TalentRun) -> dict[str, Any]:
    """Return the proof that protected attributes change nothing, in plain words.

    Returns
    -------
    dict
        ``status``: fail if any check failed, else unknown if any or all could not be made, else pass.
        ``to_trace``: how many attributes can be guessed and groups lag behind, which fails no check and wants
        a cause found. ``changed``:
        what was changed (label), and by change its status and what was found. ``whole``: checks of the
        whole result. ``proxies``: how well each attribute can be guessed from what scores rest on.
        ``impact``: rows by group with ``label`` and, as they may be shown, ``people``, ``taken``, ``share``
        and ``against``: sex and ethnicity are nobody's to know of a single person, so that small counts are
        hidden; and ``sentences``, one an attribute.
    """
    certificate, impact = run.table("certificate"), run.table("impact")
    found = set(certificate["status"])
    states = (GateStatus.FAIL, GateStatus.UNKNOWN, GateStatus.PASS)
    told = certificate[certificate["column"] != ""]
    guessed = run.table("proxies")
    impact, guessed = (
        t.assign(
            attribute=t["attribute"].replace(_ATTRIBUTES),
            value=[_YES_NO.get(value, value) for value in t["value"]],
        )
        for t in (impact, guessed)
    )
    told_impact = Impact(impact, dict.fromkeys(impact["attribute"], 0), confidence=0.95, least=LEAST)
    shown = _shown_impact(impact)
    return {
        "status": next((state for state in states if state.value in found), GateStatus.UNKNOWN),
        "checks": len(certificate),
        "failed": int((certificate["status"] == GateStatus.FAIL.value).sum()),
        "to_trace": int((guessed["status"] == GateStatus.FAIL.value).sum() + impact["flagged"].sum()),
        "changed": [
            {
                "label": _column_label(str(column)),
                "found": {row["change"]: _check(row) for row in rows.to_dict("records")},
            }
            for column, rows in told.groupby("column", sort=False)
        ],
        "whole": [
            {"label": CHANGES[row["change"]], **_check(row)}
            for row in certificate[certificate["column"] == ""].to_dict("records")
        ],
        "changes": {name: CHANGES[name] for name in ("flip", "permute", "delete")},
        "proxies": _labelled(guessed),
        "impact": _labelled(shown),
        "sentences": [
            told_impact.explain(attribute)
            if (shown.loc[shown["attribute"] == attribute, "taken"] != HIDDEN).all()
            else _few_sentence(shown[shown["attribute"] == attribute])
            for attribute in impact["attribute"].unique()
        ],
    }


def _shown_impact(impact: pd.DataFrame) -> pd.DataFrame:
    """Return rates by group as they may be shown: ``people``, ``taken``, ``share``, ``against`` as text.

    A group with few people, few chosen or few left out shows no counts, nor do others that would give it
    away; the ratios of an attribute go with any of its groups, since together they tell the best one's rate.
    """
    parts = []
    for _, rows in impact.groupby("attribute", sort=False):
        pairs = zip(rows["value"].astype("str"), rows["total"], rows["chosen"], strict=True)
        cells = [
            (v, w, n) for v, total, taken in pairs for w, n in (("taken", taken), ("left", total - taken))
        ]
        frame = pd.DataFrame(cells, columns=["value", "what", "people"])
        found = suppress(CountTable.of(frame, [["value"], ["what"]], "people"))
        values = rows["value"].astype("str").tolist()
        few = [HIDDEN in (found.shown(value, "taken"), found.shown(value, "left")) for value in values]
        people = [found.shown(value, "") for value in values]
        rates = [present(rate) and not hidden for rate, hidden in zip(rows["rate"], few, strict=True)]
        parts.append(
            rows.assign(
                people=[text if text == HIDDEN else count_text(int(text)) for text in people],
                taken=[
                    HIDDEN if hidden else count_text(int(taken))
                    for taken, hidden in zip(rows["chosen"], few, strict=True)
                ],
                share=[
                    share_text(rate) if known else "—"
                    for rate, known in zip(rows["rate"], rates, strict=True)
                ],
                against=[
                    share_text(math.floor(100 * ratio) / 100) if present(ratio) and not any(few) else "—"
                    for ratio in rows["ratio"]  # never rounded up to four fifths
                ],
            ).drop(columns=["total", "chosen", "rate", "ratio", "low", "high"])
        )
    if not parts:
        return impact.assign(people="", taken="", share="", against="")
    return pd.concat(parts, ignore_index=True)


def _few_sentence(rows: pd.DataFrame) -> str:
    """Return what may be said of an attribute that has a group too small to be shown."""
    attribute = rows["attribute"].iloc[0]
    behind = [label_of(attribute, value) for value in rows.loc[rows["flagged"], "value"]]
    text = f"{label_of(attribute)}：有的组人数或入选、未入选的人数不足{SMALLEST}人，不列数字；"
    if behind:
        return f"{text}{'、'.join(behind)}的入选率不足最高一组的五分之四，请查明原因。"
    return f"{text}能比较的各组，入选率都不低于最高一组的五分之四。"


def _column_label(place: str) -> str:
    """Return what a column is called, given as ``table.column``.

    Examples
    --------
    >>> _column_label("people.birth_year"), _column_label("identities.name_sealed")
    ('出生年份', '姓名密文')
    """
    table, _, column = place.partition(".")
    return TABLES[table].column(column).label


def _check(row: dict[Any, Any]) -> dict[str, Any]:
    return {"status": GateStatus.lookup()[row["status"]], "found": str(row["found"])}


def _labelled(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows of groups with what attribute and value are called."""
    return [
        {
            **row,
            "label": _group(row["attribute"], row["value"]),
        }
        for row in records(frame)
    ]


def _group(attribute: str, value: Any) -> str:
    """Return what a group is called.

    Examples
    --------
    >>> _group("sex", "2"), _group("is_minority", True)
    ('性别：女', '少数民族')
    """
    called = label_of(attribute, value)
    return called if label_of(attribute) in called else f"{label_of(attribute)}：{called}"
