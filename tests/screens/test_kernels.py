"""Room for pages, counted without a kernel; what becomes of kernels is tried in ``tests/attacks``."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from huanjie_lib.screens import kernels as module
from huanjie_lib.screens.kernels import (
    FullError,
    KernelNumber,
    OwnKernel,
    ScreenKernels,
    Viewer,
    error_number,
)
from tests.loops import run_apart

ZHAO, LI = Viewer("zhao"), Viewer("li")
Run = Callable[[Callable[["Counted"], Coroutine[Any, Any, None]]], None]


class Counted(ScreenKernels):
    """Kernels that are numbers alone: how long idle, and whether a page is connected."""

    def __init__(self) -> None:
        super().__init__(most=3, most_each=2)
        self.idle: dict[str, float] = {}
        self.numbers = itertools.count()

    def __contains__(self, kernel_id: object) -> bool:
        return kernel_id in self.idle

    def get_kernel(self, kernel_id: str) -> Any:
        last = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self.idle[kernel_id])
        return SimpleNamespace(last_activity=last)

    async def shutdown_kernel(self, kernel_id: str, *_: Any, **__: Any) -> None:
        del self.idle[kernel_id]
        self._places = [place for place in self._places if place.kernel_id != kernel_id]

    async def opened(self, viewer: Viewer, *, idle: float = 0, connected: bool = True) -> str:
        """Open a page and return the number of its kernel."""
        async with self.place(viewer) as place:
            place.kernel_id = f"k{next(self.numbers)}"
            self.idle[place.kernel_id] = idle
            self._kernel_connections[place.kernel_id] = int(connected)
        return place.kernel_id


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(module, "_WAITED_FOR_ROOM_S", 0.05)
    monkeypatch.setattr(module, "_ASKED_AGAIN_AFTER_S", 0.01)

    def running(what: Callable[[Counted], Coroutine[Any, Any, None]]) -> None:
        async def within() -> None:
            await what(Counted())

        run_apart(within())

    return running


def test_a_viewer_has_so_many_pages_and_all_together_so_many(run: Run) -> None:
    async def tried(kernels: Counted) -> None:
        for _ in range(2):
            await kernels.opened(ZHAO)
        with pytest.raises(FullError) as caught:
            await kernels.opened(ZHAO)
        assert (caught.value.own, caught.value.most) == (True, 2)
        mine = await kernels.opened(LI)
        with pytest.raises(FullError) as caught:
            await kernels.opened(LI)
        assert (caught.value.own, caught.value.most) == (False, 3)
        assert kernels.belongs(mine, LI)
        assert not kernels.belongs(mine, ZHAO)
        assert not kernels.belongs("", LI)

    run(tried)


def test_a_page_that_got_no_kernel_takes_no_room(run: Run) -> None:
    async def tried(kernels: Counted) -> None:
        for _ in range(5):
            with pytest.raises(ValueError, match="broken"):
                async with kernels.place(ZHAO):
                    raise ValueError("broken")
        await kernels.opened(ZHAO)

    run(tried)


def test_a_page_whose_drawing_failed_takes_its_kernel_with_it(run: Run) -> None:
    async def tried(kernels: Counted) -> None:
        async def drawn() -> None:
            async with kernels.place(ZHAO) as place:
                place.kernel_id = "k"
                kernels.idle["k"] = 0
                raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await drawn()
        assert not kernels.idle

    run(tried)


@pytest.mark.parametrize(
    ("idle", "connected", "age", "gives_way"),
    [
        (0, True, 0, False),
        (0, False, 0, False),
        (0, False, 100, True),
        (4000, True, 0, True),
        (3000, True, 100, False),
    ],
)
def test_what_nobody_needs_gives_way(
    run: Run, idle: float, connected: bool, age: float, gives_way: bool
) -> None:
    async def tried(kernels: Counted) -> None:
        first = await kernels.opened(ZHAO, idle=idle, connected=connected)
        kernels._places[0].since -= age
        await kernels.opened(ZHAO)
        if not gives_way:
            with pytest.raises(FullError):
                await kernels.opened(ZHAO)
            return
        await kernels.opened(ZHAO)
        assert first not in kernels
        assert len(kernels.idle) == 2

    run(tried)


def test_pages_of_others_do_not_give_way_to_a_viewer_who_has_too_many(run: Run) -> None:
    async def tried(kernels: Counted) -> None:
        other = await kernels.opened(LI, idle=9000)
        for _ in range(2):
            await kernels.opened(ZHAO)
        with pytest.raises(FullError):
            await kernels.opened(ZHAO)
        assert other in kernels

    run(tried)


def test_pages_work_in_turn_and_the_pool_waits(run: Run) -> None:
    async def tried(kernels: Counted) -> None:
        at_work, most = 0, 0

        async def page() -> None:
            nonlocal at_work, most
            async with kernels.turn():
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(0.01)
                at_work -= 1

        kernels._cpus = asyncio.Semaphore(2)
        await asyncio.gather(*(page() for _ in range(6)))
        assert most == 2
        async with kernels.turn():
            filling = asyncio.create_task(kernels.start_kernel())
            await asyncio.sleep(0.05)
            assert not filling.done()
            kernels.ending = True
        with pytest.raises(asyncio.CancelledError):
            await filling

    run(tried)


def test_an_error_in_the_log_begins_with_the_number_of_its_kernel() -> None:
    record = logging.LogRecord("voila", logging.ERROR, "", 0, "Error in cell %s", (1,), None)
    module._kernel.set("0123456789ab")
    try:
        assert KernelNumber().filter(record)
    finally:
        module._kernel.set("")
    assert record.getMessage() == "错误编号 01234567：Error in cell 1"
    assert error_number("0123456789ab") == "01234567"


def test_there_is_one_kernel_whatever_the_machine_has() -> None:
    assert list(OwnKernel().find_kernel_specs()) == ["python3"]


def test_a_turn_of_the_watch_that_fails_is_told_and_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_WATCHED_EVERY_S", 0.001)
    kernels, turns = Counted(), 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise RuntimeError("of a kind that nobody foresaw")

    monkeypatch.setattr(kernels, "_look_after", turn)

    async def until_the_second() -> None:
        watching = asyncio.create_task(kernels.watch())
        async with asyncio.timeout(30):
            while turns < 2:
                await asyncio.sleep(0.001)
        watching.cancel()

    run_apart(until_the_second())
    assert "nobody foresaw" in caplog.text
