from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.intake.sandbox import CrashError, Job, Limits, Sandbox, read_apart
from huanjie_lib.intake.workbook import read_csv_grid, read_workbook

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of the kernel on Linux")
ALL_PEOPLE = "1234567890"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(memory=2**29, cpu=1, wall=120)) as made:
        yield made


def said(sandbox: Sandbox, code: str) -> str:
    """Return what is said of a file whose reader runs ``code``."""
    with pytest.raises(CrashError) as caught:
        sandbox.run(Job("returns/a.xlsx", partial(exec, code, {})))
    (fault,) = caught.value.faults
    assert fault.where == "returns/a.xlsx"
    assert "重报" in fault.remedy
    return fault.found


def still_reads(sandbox: Sandbox) -> bool:
    return bool(sandbox.run(Job("b.csv", partial(int, "7"))) == 7)


def test_a_file_is_read_in_another_process(sandbox: Sandbox) -> None:
    assert sandbox.run(Job("a", os.getpid)) != os.getpid()
    assert sandbox.run(Job("a", os.getpid)) == sandbox.run(Job("b", os.getpid))


def test_a_refusal_comes_through_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"x")
    with pytest.raises(DataError, match="文件损坏或不是工作簿") as caught:
        sandbox.run(Job("returns/a.xlsx", partial(read_workbook, path, "returns/a.xlsx")))
    assert [f.where for f in caught.value.faults] == ["returns/a.xlsx"]


def test_a_file_that_is_gone_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="不能打开的文件（FileNotFoundError）"):
        sandbox.run(Job("a.csv", partial(read_csv_grid, tmp_path / "a.csv", "a.csv")))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os; os.abort()", "读取所需内存超过 0.5 GB"),  # how a reader ends that is refused memory
        ("import os; os._exit(3)", "读取时程序中止（代号 3）"),
        ("import ctypes; ctypes.string_at(0)", "读取时程序中止"),
        ("f = lambda: f()\nf()", "读取程序不能处理的内容（RecursionError）"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_reader_that_dies_costs_one_file(sandbox: Sandbox, code: str, found: str) -> None:
    assert found in said(sandbox, code)
    assert still_reads(sandbox)


@ON_LINUX
def test_memory_is_limited(sandbox: Sandbox) -> None:
    assert said(sandbox, "x = bytearray(2**30)") == "读取所需内存超过 0.5 GB"
    assert still_reads(sandbox)


@ON_LINUX
def test_cpu_time_is_limited_for_each_file(sandbox: Sandbox) -> None:
    spin = "import time\nwhile time.process_time() - start < {0}: pass"
    for _ in range(3):  # together more than the limit of one file
        sandbox.run(
            Job("a", partial(exec, "import time\nstart = time.process_time()\n" + spin.format(0.7), {}))
        )
    assert said(sandbox, "while True: pass") == "1 秒内没有读完"
    assert still_reads(sandbox)


def test_time_by_the_clock_is_limited() -> None:
    with Sandbox() as started:  # which takes a while on a busy machine, and is no part of reading
        still_reads(started)
    with Sandbox(Limits(wall=3)) as sandbox:
        began = time.monotonic()
        assert said(sandbox, "import time; time.sleep(60)") == "3 秒内没有读完"
        assert time.monotonic() - began < 20
    with Sandbox() as another:
        assert still_reads(another)


def test_what_is_handed_back_is_limited() -> None:
    with Sandbox(Limits(answer=2**20)) as sandbox:
        assert sandbox.run(Job("a", partial(bytes, 2**19))) == bytes(2**19)
        with pytest.raises(CrashError, match=r"读出的内容超过 0\.000977 GB"):
            sandbox.run(Job("a", partial(bytes, 2**20)))
        assert still_reads(sandbox)


def test_what_a_reader_prints_is_no_answer(sandbox: Sandbox) -> None:
    code = "import os, sys; print('x' * 100); sys.stdout.flush(); os.write(1, b'y' * 100)"
    assert sandbox.run(Job("a", partial(exec, code, {}))) is None
    assert still_reads(sandbox)


def test_a_defect_is_logged_by_its_place_and_not_by_its_words(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    assert said(sandbox, f"raise LookupError('张三 {ALL_PEOPLE}')") == "读取程序不能处理的内容（LookupError）"
    assert "LookupError" in caplog.text
    assert "in _answer" in caplog.text
    assert ALL_PEOPLE not in caplog.text


def test_a_single_file_is_read_apart() -> None:
    assert read_apart(Job("a", os.getpid)) != os.getpid()


def test_answers_come_in_the_order_of_the_files(sandbox: Sandbox) -> None:
    codes = ["7", "x", "8"]
    answers = list(sandbox.each(Job(c, partial(int, c)) for c in codes))
    assert answers[0::2] == [7, 8]
    assert isinstance(answers[1], CrashError)
    assert list(sandbox.each([])) == []


def test_the_worker_waits_for_the_next_folder() -> None:
    with Sandbox() as one:
        worker = one.run(Job("a", os.getpid))
    with Sandbox() as two:
        assert two.run(Job("a", os.getpid)) == worker
        two.each([Job("a", partial(time.sleep, 60))])  # left while it is at a file
    with Sandbox() as three:
        assert three.run(Job("a", os.getpid)) != worker


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_worker_that_has_gone_in_the_meantime_is_replaced() -> None:
    with Sandbox() as one:
        worker = one.run(Job("a", os.getpid))
    os.kill(worker, 9)
    time.sleep(1)
    with Sandbox() as two:
        assert two.run(Job("a", os.getpid)) != worker
    with Sandbox() as three:  # it goes of itself just when it is asked
        assert three.run(Job("a", partial(int, "1"))) == 1
        three.run(
            Job("a", partial(exec, "import os, threading; threading.Timer(0.2, os._exit, (0,)).start()", {}))
        )
        time.sleep(1)
        assert three.run(Job("b", partial(int, "2"))) == 2
