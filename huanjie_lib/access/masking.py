"""What of a person each role sees: a pseudonym, a masked name, or, for a stated reason, the full one.

Sealed identities are opened in memory for one purpose and by one role; nothing here writes a file or a log.
A full name is opened only against an entry of the access log, which stands there before anything is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.vocabulary import Role

__all__ = [
    "MASKED_ROLES",
    "SHORTEST_REASON",
    "Logged",
    "Unmasked",
    "mask_id_number",
    "mask_name",
    "masked_names",
    "opened_names",
    "unmask",
]

MASKED_ROLES: Final = (Role.TALENT, Role.CITY)
"""Roles that see masked names and may unmask with a reason; all others see pseudonyms."""

SHORTEST_REASON: Final = 4
"""A reason has at least this many characters, so that it says something."""

_DOTS: Final = "·•・‧"
_COMPOUND_SURNAME: Final = re.compile(
    r"欧阳|上官|司马|东方|独孤|南宫|闻人|夏侯|诸葛|尉迟|公羊|赫连|澹台|皇甫|宗政|濮阳|公冶|太史|申屠|公孙|慕容|钟离|长孙|宇文|"
    r"司徒|鲜于|司空|闾丘|亓官|巫马|颛孙|端木|漆雕|乐正|轩辕|令狐|段干|百里|呼延|东郭|南门|羊舌|梁丘|左丘|西门|第五|南荣|东里|"
    r"即墨|达奚|褚师"
)


@dataclass(frozen=True, slots=True)
class Logged:
    """What the access log gave back: that an unmasking stands there, and whose it is.

    Parameters
    ----------
    person_ref
        Whose name is to be seen.
    number, hash
        Place and hash of the entry.
    """

    person_ref: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Unmasked:
    """A person's name and number; neither stands in the ``repr``."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    logged: Logged


def mask_name(name: str) -> str:
    """Return a name of which the surname and, of three characters, the last one are left.

    Two characters keep the first; names with a compound surname keep the surname; names of four or more
    characters and names written with a dot keep only the first character. The length stays, dots too.

    Examples
    --------
    >>> [mask_name(n) for n in ("张三", "张小三", "欧阳小三", "欧阳三", "阿依古丽", "艾力·买买提")]
    ['张*', '张*三', '欧阳**', '欧阳*', '阿***', '艾*·***']
    >>> mask_name("")
    ''
    """
    plain = name.strip()
    if len(plain) > 2 and _COMPOUND_SURNAME.match(plain):
        return plain[:2] + _stars(plain[2:])
    if len(plain) == 3 and not any(dot in plain for dot in _DOTS):
        return f"{plain[0]}*{plain[2]}"
    return plain[:1] + _stars(plain[1:])


def _stars(text: str) -> str:
    return "".join(c if c in _DOTS else "*" for c in text)


def mask_id_number(number: str) -> str:
    """Return an identity number of which the first four and the last four characters are left.

    Examples
    --------
    >>> mask_id_number("990101199003072336"), mask_id_number("990101")
    ('9901**********2336', '******')
    """
    if len(number) < 12:
        return "*" * len(number)
    return number[:4] + "*" * (len(number) - 8) + number[-4:]


def masked_names(
    identities: pd.DataFrame, keys: KeyRing, *, role: Role, wanted: Iterable[str] | None = None
) -> pd.Series[str]:
    """Return what a role sees in place of names.

    Parameters
    ----------
    identities
        The ``identities`` table.
    keys
        Keys under which it was sealed.
    role
        Role of the account; roles outside :data:`MASKED_ROLES` get pseudonyms, and nothing is opened.
    wanted
        Pseudonyms to look up, all when omitted; one without an identity is shown as it is.

    Returns
    -------
    pandas.Series
        Text by ``person_ref``, in the order wanted.

    Raises
    ------
    SealError
        If an identity doesn't open under these keys.
    """
    sealed = identities.set_index("person_ref")["name_sealed"]
    refs = pd.Index(sealed.index if wanted is None else list(wanted), dtype="str", name="person_ref")
    if role not in MASKED_ROLES:
        return pd.Series(refs, index=refs, dtype="str", name="name")
    found = sealed.reindex(refs)
    shown = [
        ref if pd.isna(text) else mask_name(keys.unseal(str(text), "name", ref))
        for ref, text in zip(refs, found, strict=True)
    ]
    return pd.Series(shown, index=refs, dtype="str", name="name")


def opened_names(identities: pd.DataFrame, keys: KeyRing) -> pd.Series[str]:
    """Return every name by ``person_ref``, to hide them in what somebody has written; shown to nobody.

    Raises
    ------
    SealError
        If an identity doesn't open under these keys.
    """
    pairs = zip(identities["person_ref"], identities["name_sealed"], strict=True)
    return pd.Series({ref: keys.unseal(str(text), "name", ref) for ref, text in pairs}, dtype="str")


def unmask(identities: pd.DataFrame, keys: KeyRing, logged: Logged) -> Unmasked:
    """Open the identity of the one person that an entry of the access log is about.

    Whether the account may, and for what reason, is checked when the entry is recorded
    (:func:`huanjie_lib.store.access_log.record_access`); without an entry nothing is opened.

    Parameters
    ----------
    identities, keys
        The ``identities`` table and the keys under which it was sealed.
    logged
        What the log gave back.

    Raises
    ------
    KeyError
        If there is no identity of this person.
    SealError
        If it doesn't open under these keys.

    Examples
    --------
    >>> keys = KeyRing.from_seed(1)
    >>> table = pd.DataFrame({"person_ref": ["PA"], "name_sealed": [keys.seal("某某", "name", "PA")],
    ...                       "id_sealed": [keys.seal("990101199003072336", "id_number", "PA")]})
    >>> seen = unmask(table, keys, Logged("PA", 1, "ab" * 32))
    >>> seen.name, "某某" in repr(seen)
    ('某某', False)
    >>> unmask(table, keys, Logged("PX", 2, "cd" * 32))
    Traceback (most recent call last):
        ...
    KeyError: 'PX'
    """
    ref = logged.person_ref
    row = identities.set_index("person_ref").loc[ref]
    return Unmasked(
        name=keys.unseal(str(row["name_sealed"]), "name", ref),
        id_number=keys.unseal(str(row["id_sealed"]), "id_number", ref),
        logged=logged,
    )
