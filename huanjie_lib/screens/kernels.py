"""The kernels of a screen: whose each is, how many there may be, and what becomes of dead ones.

A kernel shows what its viewer may see, so it belongs to the viewer whose page it was started for, and to
nobody else who may have learnt its number. Kernels that wait in the pool belong to nobody.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import traitlets
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from voila.request_info_handler import RequestInfoSocketHandler

from huanjie_lib.casework.events import Actor

__all__ = [
    "MOST_EACH",
    "MOST_PAGES",
    "FullError",
    "KernelNumber",
    "OwnKernel",
    "Place",
    "PlaceKernels",
    "ScreenKernels",
    "Viewer",
    "error_number",
    "working_for",
]

MOST_PAGES: Final = 40
"""Pages open at the same time, of all viewers."""
MOST_EACH: Final = 4
"""Pages open at the same time, of one viewer."""

_SETTLED_AFTER_S: Final = 15.0
"""No kernel takes longer to come up as a process or to go; after that the stop goes on all the same."""
_WATCHED_EVERY_S: Final = 2.0
_WAITED_FOR_ROOM_S: Final = 2.0
"""A page that is loaded anew comes a moment before the word that its old self has gone."""
_ASKED_AGAIN_AFTER_S: Final = 0.2
_UNATTENDED_S: Final = 60.0
"""A kernel whose page has not connected for so long gives way to another page."""
_UNTOUCHED_S: Final = 3600.0
"""A page that nobody has touched for so long gives way to another where there is no room."""
_QUIET_AGAIN_AFTER_S: Final = 0.5
_TAKEN_AT_MOST: Final = 3
_NUMBER: Final = 8

_kernel: ContextVar[str] = ContextVar("kernel", default="")
_withheld: Final = ("QUERY_STRING", "VOILA_REQUEST_URL")
"""What Voilà would tell a kernel of the request: the address holds the token."""

logger = logging.getLogger(__name__)


def error_number(kernel_id: str) -> str:
    """Return the number by which an error of a kernel is told on its page and found in the log."""
    return kernel_id[:_NUMBER]


def working_for(kernel_id: str) -> None:
    """Let what is logged from here on, in this task and those that it makes, bear a kernel's number."""
    _kernel.set(kernel_id)


class FullError(Exception):
    """There is no room for another page.

    Parameters
    ----------
    own
        Whether the viewer has too many open, or all viewers together.
    most
        How many there may be.
    """

    def __init__(self, *, own: bool, most: int) -> None:
        super().__init__(f"{most} pages are open{' by one viewer' if own else ''}")
        self.own, self.most = own, most


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page.

    Parameters
    ----------
    key
        Account, or what the login cookie says where there are no accounts.
    actor
        On whose behalf the viewer acts; ``None`` where no proxy signs people on: then it is the account that
        the server was started for.
    """

    key: str
    actor: Actor | None = None


@dataclass(eq=False)
class Place:
    """Room for one page, from its request until its kernel has gone."""

    viewer: Viewer
    kernel_id: str = ""
    since: float = field(default_factory=time.monotonic)


class OwnKernel(KernelSpecManager):
    """Only the interpreter this server runs in, whatever kernels the machine has registered."""

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the one kernel there is."""
        return {NATIVE_KERNEL_NAME: RESOURCES}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002
        """Return this interpreter as a kernel without history; its log goes to the server's stderr."""
        extra = ["--HistoryManager.enabled=False", "--IPKernelApp.capture_fd_output=False"]
        return KernelSpec(
            resource_dir=RESOURCES,
            interrupt_mode="message",  # a signal would print a traceback when the server stops early
            **get_kernel_dict(extra_arguments=extra),
        )


class ScreenKernels(AsyncMappingKernelManager):
    """Kernels that each belong to a viewer, are limited in number, and can all be ended, whatever they do.

    Attributes
    ----------
    most, most_each
        Pages open at the same time: of all viewers, of one.
    """

    most = traitlets.Int(MOST_PAGES, help="Pages open at the same time.").tag(config=True)
    most_each = traitlets.Int(MOST_EACH, help="Pages of one viewer.").tag(config=True)

    ending = False
    notebook_path: str

    def __init__(self, **options: Any) -> None:
        self._places: list[Place] = []
        self._cpus = asyncio.Semaphore(max(1, os.cpu_count() or 1))
        self._pages_at_work = 0
        super().__init__(**options)  # type: ignore[no-untyped-call]

    # ------------------------------------------------------------ whose is it

    def belongs(self, kernel_id: str, viewer: Viewer) -> bool:
        """Tell whether there is such a kernel and it is the viewer's."""
        return any(
            place.kernel_id == kernel_id and place.viewer.key == viewer.key
            for place in self._places
            if place.kernel_id
        )

    @asynccontextmanager
    async def place(self, viewer: Viewer) -> AsyncIterator[Place]:
        """Give room for a page; it is kept on for as long as the kernel that the page got.

        Raises
        ------
        FullError
            If there is none, and no page that nobody needs any more can give way.
        """
        until = time.monotonic() + _WAITED_FOR_ROOM_S
        while (full := self._full(viewer)) is not None:
            given = self._given_way([p for p in self._places if not full.own or p.viewer.key == viewer.key])
            if given is not None:
                logger.warning("kernel %s gives way to another page", given.kernel_id)
                await self.shutdown_kernel(given.kernel_id, now=True)
            elif time.monotonic() > until:
                raise full
            else:
                await asyncio.sleep(_ASKED_AGAIN_AFTER_S)
        place = Place(viewer)
        self._places.append(place)
        try:
            yield place
        except Exception:
            if place.kernel_id in self:
                await self.shutdown_kernel(place.kernel_id, now=True)
            raise
        finally:
            if not place.kernel_id:
                self._places.remove(place)

    def _full(self, viewer: Viewer) -> FullError | None:
        if sum(place.viewer.key == viewer.key for place in self._places) >= self.most_each:
            return FullError(own=True, most=self.most_each)
        return FullError(own=False, most=self.most) if len(self._places) >= self.most else None

    def _given_way(self, places: list[Place]) -> Place | None:
        """Return the place that may go: a kernel without a page, else the page left alone for longest."""
        placed = [place for place in places if place.kernel_id in self]
        now = time.monotonic()
        for place in placed:
            if not self._kernel_connections.get(place.kernel_id) and now - place.since > _UNATTENDED_S:
                return place
        idle = {place.kernel_id: self._idle_s(place.kernel_id) for place in placed}
        longest = max(placed, key=lambda place: idle[place.kernel_id], default=None)
        return longest if longest is not None and idle[longest.kernel_id] > _UNTOUCHED_S else None

    def _idle_s(self, kernel_id: str) -> float:
        kernel: Any = self.get_kernel(kernel_id)
        last: dt.datetime = kernel.last_activity
        return (dt.datetime.now(dt.UTC) - last).total_seconds()

    # ------------------------------------------------------------ coming up

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Let as many pages work out what they show as there are processors; the others wait in line."""
        self._pages_at_work += 1
        try:
            async with self._cpus:
                yield
        finally:
            self._pages_at_work -= 1

    async def start_kernel(self, *, place: Place | None = None, **options: Any) -> str:  # type: ignore[override]
        """Start a kernel, for the pool when no page wants it; the pool is filled while no page is at work.

        Whoever still wants one when all are being ended is cancelled.
        """
        while place is None and self._pages_at_work and not self.ending:
            await asyncio.sleep(_QUIET_AGAIN_AFTER_S)
        if self.ending:
            raise asyncio.CancelledError
        kernel_id = str(await super().start_kernel(**options))
        working_for(kernel_id)
        return kernel_id

    # ------------------------------------------------------------ going

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, *arguments: Any, **options: Any
    ) -> None:
        """End a kernel and give its room to others."""
        self._places = [place for place in self._places if place.kernel_id != kernel_id]
        await super().shutdown_kernel(kernel_id, *arguments, **options)  # type: ignore[no-untyped-call]

    async def watch(self) -> None:
        """Clear away kernels that have died, and put others into the pool for those that waited there."""
        while True:
            await asyncio.sleep(_WATCHED_EVERY_S)
            try:
                await self._look_after()
            except Exception:
                logger.exception("kernels could not be looked after")

    async def _look_after(self) -> None:
        for pool in getattr(self, "_pools", {}).values():
            pool[:] = [item for item in pool if not (item.done() and _failed(item))]
        for kernel_id in self.list_kernel_ids():
            try:
                if not await self.lives(kernel_id):
                    logger.error("错误编号 %s：内核进程已中断，已清理", error_number(kernel_id))
                    await self.shutdown_kernel(kernel_id, now=True)
            except Exception:
                logger.exception("kernel %s could not be cleared away", kernel_id)
        if (fill := getattr(self, "fill_if_needed", None)) is not None:
            fill(notebook_name=self.notebook_path)

    async def lives(self, kernel_id: str) -> bool:
        """Tell whether a kernel's process is there, or still coming up."""
        if kernel_id not in self:
            return False
        kernel: Any = self.get_kernel(kernel_id)
        return bool(await kernel.is_alive()) if kernel.has_kernel else not kernel.ready.done()

    async def settle(self) -> None:
        """Start no more kernels, and wait until each has come up or gone: none can be lost sight of then."""
        self.ending = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_AFTER_S):
                while changing := self._changing():
                    await asyncio.wait(changing)

    def _changing(self) -> list[asyncio.Future[Any]]:
        kernels = [self.get_kernel(kernel_id) for kernel_id in self.list_kernel_ids()]
        changes = [*self._pending_kernels.values(), *(kernel.ready for kernel in kernels)]
        return [change for change in changes if not change.done()]

    async def end(self) -> None:
        """Kill every kernel; one that cannot be ended keeps no other.

        A kernel that is asked while it runs a cell is interrupted in it all the same, and says so with
        tracebacks of its own. What a cell writes for good, a proposal, is there as a whole or not at all.
        """
        ends = (self._kill(kernel_id) for kernel_id in self.list_kernel_ids())
        for outcome in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _kill(self, kernel_id: str) -> None:
        process = self.get_kernel(kernel_id).provisioner
        if process is not None and process.has_process:
            await process.kill()
            await process.wait()
        await super().shutdown_kernel(kernel_id, now=True)  # type: ignore[no-untyped-call]


class PlaceKernels:
    """The kernels as one page sees them: the one that it takes or starts is its viewer's from then on.

    Parameters
    ----------
    kernels
        All of them.
    place
        Room of the page.
    environment
        What a kernel of this viewer is told that those in the pool are not; with any, a new one is started.
    """

    def __init__(self, kernels: Any, place: Place, environment: Mapping[str, str]) -> None:
        self._kernels, self._place, self._environment = kernels, place, environment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernels, name)

    def get_pool_size(self, notebook_name: str) -> int:
        """Return how many kernels of the pool the page may take: those that have come up."""
        if self._environment or not self._kernels.get_pool_size(notebook_name):
            return 0
        first = self._kernels._pools[notebook_name][0]
        return int(first.done() and not _failed(first))

    async def get_rendered_notebook(self, notebook_name: str, **_: Any) -> tuple[Any, list[str], str]:
        """Take a kernel from the pool; one that has died there is cleared away, and the next taken."""
        for _again in range(_TAKEN_AT_MOST):
            taken = await self._kernels.get_rendered_notebook(notebook_name=notebook_name)
            kernel_id = str(taken[2])
            if await self._kernels.lives(kernel_id) and not (taken[0].done() and _failed(taken[0])):
                self._take(kernel_id)
                return taken[0], taken[1], kernel_id
            if kernel_id in self._kernels:
                await self._kernels.shutdown_kernel(kernel_id, now=True)
        raise RuntimeError("the kernels of the pool die one after another")

    async def start_kernel(self, *, env: Mapping[str, str], **options: Any) -> str:
        """Start a kernel that is told what its viewer may see."""
        told = {**env, **dict.fromkeys(_withheld, ""), **self._environment}
        kernel_id: str = await self._kernels.start_kernel(place=self._place, env=told, **options)
        self._take(kernel_id)
        return kernel_id

    def _take(self, kernel_id: str) -> None:
        self._place.kernel_id, self._place.since = kernel_id, time.monotonic()
        working_for(kernel_id)

    def forget_request(self) -> None:
        """Drop what Voilà keeps of the request for a socket that this server does not have."""
        RequestInfoSocketHandler._cache.pop(self._place.kernel_id, None)


def _failed(item: asyncio.Task[Any]) -> bool:
    return item.cancelled() or item.exception() is not None


class KernelNumber(logging.Filter):
    """Puts the number of the kernel at work before what goes wrong there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record and let it through."""
        if record.levelno >= logging.ERROR and (kernel_id := _kernel.get()):
            record.msg, record.args = f"错误编号 {error_number(kernel_id)}：{record.getMessage()}", ()
        return True
