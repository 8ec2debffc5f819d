"""What all views of a talent run share: order of posts, homes of people, points and pseudonyms in words."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views.words import present
from huanjie_lib.vocabulary import PostKind

__all__ = ["POST_ORDER", "homes_of", "points_text", "records", "short_ref"]

POST_ORDER: Final = {post.value: place for place, post in enumerate(PostKind)}
"""Place of each kind of post, by its value."""


def points_text(value: float) -> str:
    """Return points with one decimal.

    Examples
    --------
    >>> points_text(61.25), points_text(1832.4), points_text(float("nan"))
    ('61.2', '1,832.4', '—')
    """
    return f"{value:,.1f}" if present(value) else "—"


def short_ref(person_ref: str) -> str:
    """Return the end of a pseudonym, enough to tell two people of one masked name apart on a page.

    Examples
    --------
    >>> short_ref("PKYG7TXRSW3CMBRJB")
    'BRJB'
    """
    return person_ref[-4:]


def homes_of(run: TalentRun) -> pd.DataFrame:
    """Return person_ref and the unit where each person is at home."""
    units = run.table("units").drop(columns="unit_kind")
    return run.table("people")[["person_ref", "unit_code"]].merge(units, on="unit_code", how="left")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dictionaries by the names of columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
