"""What the talent screen calls people: masked names, made by the server and handed to its kernels as a file.

Whoever views a page can reach all that its kernel holds, so no kernel is given the key. The server opens the
sealed names once, masks them for the role it was started for, and writes what that role may see into its own
private folder, which goes when the server ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.masking import masked_names
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.vocabulary import Role

__all__ = ["FILES", "XLSX", "Names", "cut_names", "people_named", "write_names"]

FILES: Final = {"roster": "建议名册", "plan": "培养计划"}
"""Files of people that may be saved, with their titles."""
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def write_names(run: TalentRun, key: Path, out: Path, *, role: Role, decided: Iterable[str] = ()) -> None:
    """Write what a role sees in place of names, by pseudonym.

    Parameters
    ----------
    run
        The talent run.
    key
        Key file under which its identities were sealed.
    out
        Parquet file to write.
    role
        Role of the account.
    decided
        Pseudonyms in decisions recorded so far: those of people who have had new ones since are written too.

    Raises
    ------
    UsageError
        If the key file cannot be used.
    SealError
        If an identity does not open under it.
    """
    keys = KeyRing.read(key)
    names = masked_names(run.identities(), keys, role=role)
    current = keys.recognised(decided, set(names.index))
    refs = [*names.index, *current]
    now = [*names.index, *current.values()]
    pd.DataFrame(
        {"person_ref": refs, "name": names.reindex(now).to_numpy(), "current": now}, dtype="str"
    ).to_parquet(out, index=False)


def cut_names(whole: Path, out: Path, people: Collection[str]) -> None:
    """Write those rows of a file from :func:`write_names` that are about some people.

    Parameters
    ----------
    whole, out
        Files to read and to write.
    people
        Their present pseudonyms.
    """
    names = pd.read_parquet(whole)
    names[names["current"].isin(list(people))].to_parquet(out, index=False)


def people_named(path: Path) -> frozenset[str]:
    """Return the pseudonyms in a file from :func:`write_names`, earlier ones too."""
    return frozenset(pd.read_parquet(path, columns=["person_ref"])["person_ref"])


class Names:
    """Names by pseudonym, looked up as they are needed; the pseudonym itself where there is none.

    Parameters
    ----------
    path
        File from :func:`write_names`; ``None`` where nobody may be named.

    Examples
    --------
    >>> Names(None).of(["PKYG7TXRSW3CMBRJB"])
    {'PKYG7TXRSW3CMBRJB': 'PKYG7TXRSW3CMBRJB'}
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def masked(self) -> bool:
        """Whether people go by masked names, and not by pseudonyms."""
        return self._path is not None

    def of(self, refs: Iterable[str]) -> dict[str, str]:
        """Return what to call these people."""
        return self._found(refs, "name")

    def current(self, refs: Iterable[str]) -> dict[str, str]:
        """Return the present pseudonyms of people who may be named by earlier ones."""
        return self._found(refs, "current")

    def _found(self, refs: Iterable[str], column: str) -> dict[str, str]:
        told = {ref: ref for ref in refs}
        if self._path is not None and told:
            found = pd.read_parquet(self._path, filters=[("person_ref", "in", list(told))])
            told |= dict(zip(found["person_ref"], found[column], strict=True))
        return told
