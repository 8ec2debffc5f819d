"""Who hands a file out, for what and when: the words that stand on every page of it and in its manifest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from huanjie_lib.views.words import INTERNAL, date_text
from huanjie_lib.vocabulary import Role

__all__ = ["Stamp", "stamp_text"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who exports, in which role, for what and when.

    Parameters
    ----------
    account, office, role
        The account, its office (may be empty) and role.
    purpose
        What the file is for, in Chinese.
    day
        Date of the export; an argument, so that equal exports give equal bytes.
    notice
        What the file is, said first.

    Examples
    --------
    >>> stamp = Stamp("chen", "市换届办", Role.CITY, "换届工作", dt.date(2026, 11, 2))
    >>> stamp.text
    '内部资料，注意保管　市换届办 chen，2026年11月2日导出，用于换届工作'
    >>> stamp.entry["role"]
    'city'
    """

    account: str
    office: str
    role: Role
    purpose: str
    day: dt.date
    notice: str = INTERNAL

    @property
    def text(self) -> str:
        """The watermark: one line."""
        who = f"{self.office} {self.account}".strip()
        role = "，" if self.office == self.role.label else f"（{self.role.label}）"
        return f"{self.notice}　{who}{role}{date_text(self.day)}导出，用于{self.purpose}"

    @property
    def entry(self) -> dict[str, str]:
        """What a manifest says of it."""
        return {
            "account": self.account,
            "office": self.office,
            "role": self.role.value,
            "purpose": self.purpose,
            "exported_on": self.day.isoformat(),
        }


def stamp_text(stamp: Stamp | None) -> str:
    """Return the watermark; without a stamp only that the file is internal."""
    return INTERNAL if stamp is None else stamp.text
