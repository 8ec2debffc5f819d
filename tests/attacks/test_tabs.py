"""Many tabs take nothing from the others, and kernels that are killed are missed by their own pages alone."""

from __future__ import annotations

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attacks.conftest import MOST, MOST_EACH, Target

pytestmark = pytest.mark.slow

PATIENCE_S = 120.0


def test_one_viewer_has_a_few_pages_and_a_word_when_they_are_too_many(target: Target) -> None:
    zhao = target.account("zhao")
    pages = [zhao.page() for _ in range(MOST_EACH)]
    refused = zhao.ask("/")
    assert refused.status == 429
    assert f"您已经打开了 {MOST_EACH} 个页面" in refused.text
    assert refused.headers["Retry-After"] == "60"
    assert zhao.leave(pages.pop()) == 204
    pages.append(zhao.page())
    assert [zhao.leave(page) for page in pages] == [204] * MOST_EACH


def test_all_together_have_so_many_and_a_killed_kernel_makes_room(target: Target) -> None:
    viewers = [target.account(name) for name in ("zhao", "zhao", "li", "li")]
    assert len(viewers) == MOST
    with ThreadPoolExecutor(MOST) as asking:
        pages = list(asking.map(lambda viewer: viewer.page(), viewers))
    wang = target.account("wang")
    refused = wang.ask("/")
    assert refused.status == 503
    assert f"现在已打开 {MOST} 个页面" in refused.text
    assert "Traceback" not in refused.text

    killed, alive = pages[: MOST // 2], pages[MOST // 2 :]
    running = target.kernels()
    for page in killed:
        os.kill(running[page.kernel], signal.SIGKILL)
    for viewer, page in zip(viewers, killed, strict=False):
        until = time.monotonic() + PATIENCE_S
        while viewer.ask(f"/api/kernels/{page.kernel}").status != 404:  # the page says that it is cut off
            assert time.monotonic() < until
            time.sleep(0.2)
    for viewer, page in zip(viewers[MOST // 2 :], alive, strict=True):
        with viewer.channel(page.kernel) as channel:
            assert channel.states()
    until = time.monotonic() + PATIENCE_S
    while not all(f"错误编号 {page.kernel[:8]}：内核进程已中断" in target.logged for page in killed):
        assert time.monotonic() < until
        time.sleep(0.2)
    with target.open("wang"):
        pass
    for viewer, page in zip(viewers[MOST // 2 :], alive, strict=True):
        assert viewer.leave(page) == 204


def test_a_kernel_killed_in_the_pool_reaches_no_viewer(target: Target) -> None:
    """Its page would stay a picture: the next viewer gets one that lives."""
    until = time.monotonic() + PATIENCE_S
    while not (waiting := target.kernels()):
        assert time.monotonic() < until
        time.sleep(0.2)
    for pid in waiting.values():
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_S
    while set(waiting) & set(target.kernels()):
        assert time.monotonic() < until
        time.sleep(0.05)
    with target.open("wang") as (viewer, page), viewer.channel(page.kernel) as channel:
        assert page.kernel not in waiting
        assert channel.states()


def for_a_page(pid: int) -> bool:
    """Tell whether a kernel was started for a page, and not to wait in the pool."""
    try:
        return b"\0PATH_INFO=" in b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_kernel_that_dies_while_its_page_is_drawn_leaves_a_number(target: Target) -> None:
    before = set(target.kernels())
    with ThreadPoolExecutor(1) as asking:
        asked = asking.submit(target.account("zhao").ask, "/")
        until = time.monotonic() + PATIENCE_S
        while not (
            new := {n: pid for n, pid in target.kernels().items() if n not in before and for_a_page(pid)}
        ):
            assert time.monotonic() < until
            time.sleep(0.02)
        ((kernel, pid),) = new.items()
        os.kill(pid, signal.SIGKILL)
        answer = asked.result(PATIENCE_S)
    number = re.search(r"错误编号[ ：]?([0-9a-f]{8})", answer.text)
    assert number, answer.text[-400:]
    assert f"错误编号 {number[1]}" in target.logged
    assert "Traceback" not in answer.text
    assert "/" + kernel not in answer.text
    with target.open("zhao"):  # and the next page is there
        pass
