"""Files from elsewhere are read in a child process, so that none of them can take the program down.

A reader may abort the whole process on a file made for that purpose or merely broken: a request for more
memory than there is, an endless loop, a fault in compiled code. So every workbook, CSV file, table and map is
read by a worker with limits on memory and time. A worker that dies, or takes too long, costs the file it was
at: that file is refused with a reason, and a new worker reads the next. Starting one takes as long as reading
twenty workbooks, so one worker reads all files of a folder, and waits a minute for the next folder.

Requests and answers go through pipes; nothing that was read is written to disk. On Linux the kernel holds the
worker to its limits of memory and CPU time. macOS and Windows don't offer that to a process of its own, so
there only the time by the clock is limited, besides what the readers look at before they open a file.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from huanjie_lib.errors import DataError, Fault

__all__ = ["LIMITS", "CrashError", "Job", "Limits", "Sandbox", "read_apart", "serve"]

_HEADER: Final = struct.Struct("<Q")
_START: Final = "from huanjie_lib.intake.sandbox import serve; serve()"
_FRESH: Final = "用 Excel 新建工作簿或用原来的程序重新导出，只放需要报送的数据，再重报"
_NO_NETWORK: Final = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}
"""Map files may name addresses; of these only such as end so are followed, which is none."""
_IDLE_SECONDS: Final = 60.0
_LOG = logging.getLogger(__name__)


class CrashError(DataError):
    """The worker died or was stopped over a file; the file is not read."""


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    Parameters
    ----------
    memory
        Bytes of address space beyond what an idle worker has.
    cpu
        Seconds of CPU time.
    wall
        Seconds by the clock.
    answer
        Bytes of what is handed back, which this process has to hold.
    """

    memory: int = 4 * 2**30
    cpu: int = 300
    wall: int = 600
    answer: int = 2 * 2**30


LIMITS: Final = Limits()


@dataclass(frozen=True)
class Job:
    """One file to read.

    Parameters
    ----------
    file
        Its name in messages.
    read
        A function of a module of this package, called in the worker without arguments; its result and what
        it holds must be picklable.
    """

    file: str
    read: Callable[[], Any]


class Sandbox:
    """A worker process that reads files, started when it is first needed or by :meth:`start`.

    Examples
    --------
    >>> from functools import partial
    >>> with Sandbox() as sandbox:
    ...     sandbox.run(Job("a.csv", partial(int, "12")))
    12
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._worker: subprocess.Popen[bytes] | None = None
        self._busy = False

    def __enter__(self) -> Self:
        """Return the sandbox; leaving the block gives its worker back."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the worker for the next sandbox, or end it where it is still at a file."""
        if self._worker is not None and not self._busy:
            _waiting.keep(self._worker)
            self._worker = None
        self._end()

    def start(self) -> None:
        """Start the worker, which takes most of a second in another process, without waiting for it."""
        if self._worker is None:
            self._worker = _waiting.take() or _started()

    def _end(self) -> None:
        """End the worker, whatever it is at."""
        if self._worker is not None:
            _ended(self._worker)
        self._worker, self._busy = None, False

    def run(self, job: Job) -> Any:
        """Read one file.

        Raises
        ------
        DataError
            If the file cannot be read; :class:`CrashError` if it stopped the worker.
        """
        self._send(job)
        return self._result(job)

    def each(self, jobs: Iterable[Job]) -> Iterator[Any]:
        """Read files one after the other: the first from now on, the next while the caller looks at the last.

        Returns
        -------
        iterator
            Per job its result, or the :class:`~huanjie_lib.errors.DataError` by which it is refused. It must
            be used up before anything else is read.
        """
        waiting = list(jobs)
        if waiting:
            self._send(waiting[0])
        return self._answers(waiting)

    def _answers(self, waiting: list[Job]) -> Iterator[Any]:
        for number, job in enumerate(waiting, start=1):
            answer: Any
            try:
                answer = self._result(job)
            except DataError as error:
                answer = error
            if number < len(waiting):
                self._send(waiting[number])
            yield answer

    # ------------------------------------------------------------ talking to the worker

    def _send(self, job: Job) -> None:
        request = pickle.dumps((job.read, self._limits))
        self.start()
        worker, self._busy = _pipes(self._worker), True
        try:
            _write(worker.stdin, request)
        except OSError:  # it has waited long enough and gone
            self._end()
            self._worker, self._busy = _started(), True
            _write(_pipes(self._worker).stdin, request)

    def _result(self, job: Job, *, again: bool = True) -> Any:
        worker = _pipes(self._worker)
        late = threading.Event()

        def stop() -> None:
            late.set()
            worker.process.kill()

        clock = threading.Timer(self._limits.wall, stop)
        clock.start()
        try:
            answer = _read(worker.stdout)
        finally:
            clock.cancel()
        if answer is None:
            code = worker.process.wait()
            self._end()
            if code == 0 and again:  # it had waited long enough just when the request came
                self._send(job)
                return self._result(job, again=False)
            raise CrashError("文件不能读取", [_crash(job.file, code, late.is_set(), self._limits)])
        self._busy = False
        kind, content = pickle.loads(answer)
        if kind == "read":
            return content
        if kind == "refused":
            summary, faults = content
            raise DataError(summary, faults)
        if kind == "system":
            raise DataError("文件不能读取", [_unopened(job.file, content)])
        self._end()  # who knows in what state such a file leaves its reader
        if kind == "memory":
            raise CrashError("文件不能读取", [_out_of_memory(job.file, self._limits)])
        if kind == "large":
            raise CrashError("文件不能读取", [_too_large(job.file, self._limits)])
        name, trace = content
        _LOG.error("reader failed (%s) on a file\n%s", name, trace)
        raise CrashError("文件不能读取", [_defect(job.file, name)])


def read_apart(job: Job) -> Any:
    """Read a single file in the worker; for several, keep one :class:`Sandbox` open.

    Raises
    ------
    DataError
        As :meth:`Sandbox.run`.
    """
    with Sandbox() as sandbox:
        return sandbox.run(job)


@dataclass(frozen=True)
class _Pipes:
    process: subprocess.Popen[bytes]
    stdin: IO[bytes]
    stdout: IO[bytes]


def _pipes(worker: subprocess.Popen[bytes] | None) -> _Pipes:
    if worker is None or worker.stdin is None or worker.stdout is None:
        raise RuntimeError("no worker was started")
    return _Pipes(worker, worker.stdin, worker.stdout)


def _started() -> subprocess.Popen[bytes]:
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.Popen(
        [sys.executable, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, **_NO_NETWORK},
    )


def _ended(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # a request that it never took
                pipe.close()


class _Waiting:
    """The worker of this process that is at nothing, if there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def take(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is None or self._owner != os.getpid():  # a fork has the pipes of another process
            return None
        if worker.poll() is not None:
            _ended(worker)
            return None
        return worker

    def keep(self, worker: subprocess.Popen[bytes]) -> None:
        with self._lock:
            before, self._worker, self._owner = self._worker, worker, os.getpid()
        if before is not None:
            _ended(before)

    def end(self) -> None:
        worker = self.take()
        if worker is not None:
            _ended(worker)


_waiting = _Waiting()
atexit.register(_waiting.end)


def _crash(file: str, code: int, late: bool, limits: Limits) -> Fault:
    """Return what is said of a file over which the worker died."""
    if late or code == -getattr(signal, "SIGXCPU", 0):
        seconds = limits.wall if late else limits.cpu
        return Fault(file, f"{seconds} 秒内没有读完", "大小正常的文件", _FRESH)
    if code in {-getattr(signal, name, 0) for name in ("SIGABRT", "SIGKILL")}:
        return _out_of_memory(file, limits)
    return Fault(file, f"读取时程序中止（代号 {code}）", "完好的文件", _FRESH)


def _out_of_memory(file: str, limits: Limits) -> Fault:
    return Fault(file, f"读取所需内存超过 {limits.memory / 2**30:.3g} GB", "大小正常的文件", _FRESH)


def _too_large(file: str, limits: Limits) -> Fault:
    return Fault(file, f"读出的内容超过 {limits.answer / 2**30:.3g} GB", "大小正常的文件", _FRESH)


def _unopened(file: str, name: str) -> Fault:
    advice = "检查文件是否还在、是否有权限，关闭正在使用它的程序后重试"
    return Fault(file, f"不能打开的文件（{name}）", "可以读取的文件", advice)


def _defect(file: str, name: str) -> Fault:
    return Fault(file, f"读取程序不能处理的内容（{name}）", "完好的文件", _FRESH)


def _write(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(_HEADER.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """Return one message, or ``None`` when the other side has gone."""
    header = pipe.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    (length,) = _HEADER.unpack(header)
    content = pipe.read(length)
    return content if len(content) == length else None


# ---------------------------------------------------------------- in the worker


def serve() -> None:
    """Answer requests on standard input until it closes; this is the worker's only task."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a reader prints must not get among the answers
    while True:
        idle = threading.Timer(_IDLE_SECONDS, os._exit, (0,))
        idle.start()
        request = _read(sys.stdin.buffer)
        idle.cancel()
        if request is None:
            return
        _write(answers, _answer(request))


def _answer(request: bytes) -> bytes:
    read, limits = pickle.loads(request)
    try:
        _limit(limits)
        answer = pickle.dumps(("read", read()), protocol=5)
        return answer if len(answer) <= limits.answer else pickle.dumps(("large", None))
    except DataError as error:
        return pickle.dumps(("refused", (error.summary, error.faults)))
    except MemoryError:
        return pickle.dumps(("memory", None))
    except OSError as error:
        return pickle.dumps(("system", type(error).__name__))
    except BaseException as error:  # noqa: BLE001 - also panics of compiled readers, which are no Exceptions
        # The text of an error may hold cells, and so names; where it happened holds none.
        trace = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
        return pickle.dumps(("defect", (type(error).__name__, trace)))


def _limit(limits: Limits) -> None:
    """Set the limits for the next file."""
    if sys.platform != "linux":
        return
    import resource  # POSIX only

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime)
    limited = {resource.RLIMIT_AS: used + limits.memory, resource.RLIMIT_CPU: spent + limits.cpu + 1}
    for kind, most in limited.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
