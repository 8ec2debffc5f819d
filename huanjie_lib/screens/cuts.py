"""What the kernels of a server are given: of runs, people and the ledger what their account may see.

Whoever views a page can reach all that its kernel holds, so the server cuts before a kernel is started: it
writes the rows of the account into a folder of their own and tells the kernel of this folder and no other.
Accounts that may see the same share one. The folders lie apart from the one that kernels work in, and go with
the server.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from huanjie_lib.casework.events import Actor, canonical
from huanjie_lib.errors import LedgerError

if TYPE_CHECKING:
    from huanjie_lib.screens.kernels import Viewer
    from huanjie_lib.store.ledger import Ledger
    from huanjie_lib.store.ledger_cut import LedgerCut, Part

__all__ = [
    "ACTOR_VARIABLE",
    "NAMES_VARIABLE",
    "RUN_VARIABLE",
    "STORE_VARIABLE",
    "TALENT_VARIABLE",
    "Cut",
    "Cuts",
    "Whole",
]

RUN_VARIABLE: Final = "HUANJIE_RUN"
"""Environment variable that tells a screen's kernel which run folder to read."""
STORE_VARIABLE: Final = "HUANJIE_STORE"
"""Environment variable that tells the casework and talent kernels which part of a ledger to read."""
TALENT_VARIABLE: Final = "HUANJIE_TALENT"
"""Environment variable that tells the talent kernel which talent folder to read."""
NAMES_VARIABLE: Final = "HUANJIE_NAMES"
"""Environment variable that tells the talent kernel which file holds the names that its account may see."""
ACTOR_VARIABLE: Final = "HUANJIE_ACTOR"
"""Environment variable that tells these kernels who looks: JSON of account, office, role and scope.

It bounds what is shown and is no credential: whoever writes is known to the server alone.
"""
WITH_ACCOUNT: Final = frozenset({"casework", "talent"})
"""Screens that are drawn for an account."""

_LOOKED_AFTER_S: Final = 1.0
"""How long what others have recorded may stay unseen by the kernels."""
_LEDGER: Final = "ledger.sqlite3"
_NAMES: Final = "names.parquet"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Whole:
    """What the server itself may read, and its kernels may not.

    Parameters
    ----------
    run, talent
        Run folder and talent folder; ``None`` where the screen has none.
    store
        Path or address of the ledger, for reading.
    names
        File from :func:`huanjie_lib.screens.talent_names.write_names`; ``None`` where nobody may be named.
    """

    run: Path | None = None
    talent: Path | None = None
    store: str | Path | None = None
    names: Path | None = None


@dataclass(frozen=True)
class Cut:
    """What one kind of account may see.

    Parameters
    ----------
    told
        Environment of its kernels: where the parts lie.
    ledger
        Its part of the ledger; ``None`` where the screen has none.
    """

    told: Mapping[str, str]
    ledger: LedgerCut | None = None


class Cuts:
    """The parts of what a server reads, each made when the first of those who may see it looks.

    Parameters
    ----------
    screen
        Name of the screen.
    whole
        What they are cut from.
    folder
        Folder for them that this process alone enters.
    """

    def __init__(self, screen: str, whole: Whole, folder: Path) -> None:
        self._screen, self._whole, self._folder = screen, whole, folder
        self._made: dict[object, asyncio.Task[Cut]] = {}
        self._ready: dict[object, Cut] = {}
        self._source = None if whole.store is None else _opened(whole.store)

    # ------------------------------------------------------------ for whom

    async def __call__(self, viewer: Viewer) -> dict[str, str]:
        """Return what the kernel of a viewer is told that those in the pool are not, if anything."""
        actor = viewer.actor
        if actor is None or not (self._screen in WITH_ACCOUNT or actor.scope):
            return {}
        key = self._key(actor)
        if key not in self._made:
            self._made[key] = asyncio.create_task(asyncio.to_thread(self.make, actor))
        try:
            cut = await asyncio.shield(self._made[key])
        except Exception:
            self._made.pop(key, None)
            raise
        if cut.ledger is not None:
            await asyncio.to_thread(cut.ledger.refresh)
        return self.told(cut, actor)

    def told(self, cut: Cut, actor: Actor) -> dict[str, str]:
        """Return the environment of an account's kernels."""
        who = {"account": actor.account, "office": actor.office, "role": actor.role.value}
        named = {ACTOR_VARIABLE: canonical({**who, "scope": list(actor.scope)})}
        return {**cut.told, **(named if self._screen in WITH_ACCOUNT else {})}

    def _key(self, actor: Actor) -> object:
        """Return what accounts that may see the same have in common; cases are seen by the office, too."""
        office = actor.office if self._screen == "casework" else ""
        return actor.role, office, tuple(sorted(actor.scope))

    # ------------------------------------------------------------ cutting

    def make(self, actor: Actor) -> Cut:
        """Cut what an account may see.

        Raises
        ------
        DataError
            If no unit is in the area of the account.
        UsageError
            If its role may read nothing of what the screen shows.
        LedgerError
            If the ledger cannot be read.
        """
        out = self._folder / secrets.token_hex(8)
        out.mkdir(mode=0o700)
        work = {"casework": self._casework, "talent": self._talent}.get(self._screen, self._overview)
        self._ready[self._key(actor)] = cut = work(out, actor)
        return cut

    def _overview(self, out: Path, actor: Actor) -> Cut:
        from huanjie_lib.store.snapshot import write_snapshot  # screens for everybody need no tables here

        assert self._whole.run is not None
        write_snapshot(self._whole.run, out / "run", role=actor.role, scope=actor.scope)
        return Cut({RUN_VARIABLE: str(out / "run")})

    def _casework(self, out: Path, actor: Actor) -> Cut:
        from huanjie_lib.store.ledger_cut import CasesPart
        from huanjie_lib.store.snapshot import write_desk

        assert self._whole.run is not None
        write_desk(self._whole.run, out / "run", actor)
        ledger = self._ledger(out, CasesPart(actor))
        return Cut({RUN_VARIABLE: str(out / "run"), STORE_VARIABLE: str(ledger.file)}, ledger)

    def _talent(self, out: Path, actor: Actor) -> Cut:
        from huanjie_lib.screens.talent_names import cut_names, people_named
        from huanjie_lib.store.ledger_cut import DecisionsPart
        from huanjie_lib.store.talent_cut import write_talent_cut
        from huanjie_lib.store.talent_folder import read_talent

        assert self._whole.talent is not None
        write_talent_cut(self._whole.talent, out / "talent", role=actor.role, scope=actor.scope)
        people = read_talent(out / "talent").people()
        told = {TALENT_VARIABLE: str(out / "talent"), NAMES_VARIABLE: ""}
        if self._whole.names is not None:
            cut_names(self._whole.names, out / _NAMES, people)
            told[NAMES_VARIABLE] = str(out / _NAMES)
            people |= people_named(out / _NAMES)
        ledger = self._ledger(out, DecisionsPart(actor, people))
        return Cut({**told, STORE_VARIABLE: str(ledger.file)}, ledger)

    def _ledger(self, out: Path, part: Part) -> LedgerCut:
        from huanjie_lib.store.ledger_cut import LedgerCut

        assert self._whole.store is not None
        return LedgerCut(self._whole.store, out / _LEDGER, part)

    # ------------------------------------------------------------ keeping up

    def refresh(self, actor: Actor) -> None:
        """Let an account see what has been recorded, before it is told that it has been."""
        cut = self._ready.get(self._key(actor))
        if cut is not None:
            self._bring(cut)

    async def watch(self) -> None:
        """Let every account see what others have recorded; one look that fails is not the last."""
        while True:
            await asyncio.sleep(_LOOKED_AFTER_S)
            try:
                await asyncio.to_thread(self._look)
            except Exception:
                logger.exception("it could not be seen whether the ledger has grown")

    def _look(self) -> None:
        """Bring the parts up to date that are behind the ledger; where it cannot be read, each says so."""
        if self._source is None:
            return
        try:
            head = self._source.head()
        except LedgerError:
            head = None
        for cut in list(self._ready.values()):
            if cut.ledger is not None and cut.ledger.behind(head):
                self._bring(cut)

    @staticmethod
    def _bring(cut: Cut) -> None:
        """Bring a part of the ledger up to date; what has been recorded stays so where that fails."""
        if cut.ledger is not None:
            try:
                cut.ledger.refresh()
            except Exception:
                logger.exception("a part of the ledger could not be brought up to date")

    def close(self) -> None:
        """Close the ledgers."""
        for cut in self._ready.values():
            if cut.ledger is not None:
                cut.ledger.close()
        if self._source is not None:
            self._source.close()


def _opened(store: str | Path) -> Ledger:
    from huanjie_lib.store.ledger import open_ledger  # a screen without a ledger needs no database

    return open_ledger(store, read_only=True)
