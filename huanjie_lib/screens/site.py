"""The screens as one product: what they are called, where each is served, and links from one to another.

Each screen is a server of its own, so what joins them is a file that names their addresses, the same for
all of them::

    format: huanjie-site/1
    screens:
      - {screen: overview, address: "https://huanjie.example.gov.cn", roles: [reader]}
      - {screen: casework, address: "https://huanjie-town.example.gov.cn", roles: [township]}

A viewer sees links to those that are for his role. An address is scheme and name alone: neither a token nor
anything else of this server goes along, and where a link leads to stands behind its ``#``, which no browser
sends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import yaml

from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.screens.sign_on import checked_public
from huanjie_lib.vocabulary import Role

__all__ = ["SCREENS", "SITE_VARIABLE", "Entry", "Site", "entries_for", "read_site", "site_text"]

SCREENS: Final[Mapping[str, str]] = {
    "overview": "选情总览",
    "what_if": "权重试算",
    "casework": "整改闭环",
    "talent": "人才匹配",
}
"""Screens by the name of their notebook, as a page calls them, in order."""
SITE_VARIABLE: Final = "HUANJIE_SITE"
"""Environment variable that tells a kernel where its viewer finds the screens: JSON, address by screen."""

_FORMAT: Final = "huanjie-site/1"
_ROLES: Final = {role.value: role for role in Role if role is not Role.SYSTEM}


@dataclass(frozen=True)
class Entry:
    """A served screen.

    Parameters
    ----------
    screen
        A key of :data:`SCREENS`.
    address
        ``scheme://host[:port]``.
    roles
        Roles it is for; all when empty.
    """

    screen: str
    address: str
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True)
class Site:
    """Where one viewer finds the screens.

    Parameters
    ----------
    addresses
        Address by screen; screens that the viewer may not see, or that are not served, are not there.

    Examples
    --------
    >>> site = Site({"casework": "https://town.example"})
    >>> site.to("casework", unit="990101102201", as_of="")
    'https://town.example/#unit=990101102201'
    >>> site.to("talent", unit="990101102201")
    ''
    """

    addresses: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls) -> Site:
        """Return what the server has told its kernels; a site without links where it has not."""
        return cls(json.loads(os.environ.get(SITE_VARIABLE) or "{}"))

    def to(self, screen: str, **where: str) -> str:
        """Return the link to a place on a screen; empty where the viewer has no such screen.

        Parameters
        ----------
        screen
            A key of :data:`SCREENS`.
        where
            Keys of the link with their values; empty values are left out.
        """
        address = self.addresses.get(screen, "")
        place = urlencode({name: value for name, value in where.items() if value})
        return address and f"{address}/{f'#{place}' if place else ''}"

    def links(self, here: str) -> list[dict[str, Any]]:
        """Return label, address and whether it is this one of each screen; none where there is no other."""
        found = [
            {"label": label, "address": self.to(screen), "here": screen == here}
            for screen, label in SCREENS.items()
            if screen == here or screen in self.addresses
        ]
        return found if len(found) > 1 else []


def entries_for(entries: Iterable[Entry], role: Role | None) -> dict[str, str]:
    """Return the address of each screen that is for a role; without a role, of those that are for all.

    Examples
    --------
    >>> town = Entry("casework", "https://town.example", frozenset({Role.TOWNSHIP}))
    >>> entries_for([town], Role.TOWNSHIP), entries_for([town], Role.READER), entries_for([town], None)
    ({'casework': 'https://town.example'}, {}, {})
    """
    return {one.screen: one.address for one in entries if not one.roles or role in one.roles}


def site_text(addresses: Mapping[str, str]) -> str:
    """Return the file of a site whose screens are for everybody."""
    screens = [{"screen": screen, "address": address} for screen, address in addresses.items()]
    return yaml.safe_dump({"format": _FORMAT, "screens": screens}, allow_unicode=True, sort_keys=False)


def read_site(path: Path) -> tuple[Entry, ...]:
    """Read the file that names the addresses of the screens.

    Raises
    ------
    DataError
        If it cannot be read or is not such a file, with every fault: an unknown screen or role, an address
        that holds more than scheme and name, a screen that a role has twice.
    """
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fault = Fault(
            str(path), "不能读取或解析", "YAML 格式的界面地址表", "对照 docs/serving.md 中的例子改正"
        )
        raise DataError("界面地址表不能使用", [fault]) from error
    rows = told.get("screens") if isinstance(told, dict) else None
    if not isinstance(rows, list) or set(told) != {"format", "screens"} or told["format"] != _FORMAT:
        fault = Fault(path.name, "缺少或多出内容", f"format: {_FORMAT} 和 screens", "对照例子改正")
        raise DataError("界面地址表不能使用", [fault])
    faults: list[Fault] = []
    found = [_entry(row, f"{path.name} 第 {number} 个界面", faults) for number, row in enumerate(rows, 1)]
    entries = tuple(entry for entry in found if entry is not None)
    for role in _ROLES.values():
        mine = [one.screen for one in entries if not one.roles or role in one.roles]
        for screen in sorted({one for one in mine if mine.count(one) > 1}):
            where = f"{path.name}：{screen}"
            faults.append(Fault(where, f"“{role.label}”有两个地址", "每个角色一个地址", "改正 roles"))
    if faults:
        raise DataError("界面地址表不能使用", faults)
    return entries


def _entry(row: Any, where: str, faults: list[Fault]) -> Entry | None:
    """Return a row of the file, or note what is wrong with it."""
    if not isinstance(row, dict) or not {"screen", "address"} <= set(row) <= {"screen", "address", "roles"}:
        found = "、".join(map(str, row)) if isinstance(row, dict) else str(row)[:40]
        faults.append(Fault(where, found, "screen、address，可以有 roles", "补齐或删去多余的项目"))
        return None
    before = len(faults)
    screen, roles = row["screen"], row.get("roles", [])
    if screen not in SCREENS:
        faults.append(Fault(f"{where}：screen", str(screen)[:40], "、".join(SCREENS), "改为其中一个"))
    if not isinstance(roles, list) or not set(map(str, roles)) <= set(_ROLES):
        faults.append(Fault(f"{where}：roles", str(roles)[:40], f"[{'、'.join(_ROLES)}]", "改为其中几个"))
    try:
        address = checked_public(str(row["address"]), f"{where}：address")
    except UsageError as error:
        faults += error.faults
    return None if len(faults) > before else Entry(screen, address, frozenset(_ROLES[one] for one in roles))
