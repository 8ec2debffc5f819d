"""A cell that fails shows a number; its words, paths and traceback stand in the log under it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from huanjie_lib.screens.serve import notebook_path
from huanjie_lib.store.run_folder import Run
from tests.attacks.attacker import Attacker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX"),
]

SECRET = "/srv/huanjie/张某某.xlsx"
SERVE = """
import pathlib, sys
from huanjie_lib.screens import serve
run, notebook = map(pathlib.Path, sys.argv[1:])
serve.notebook_path = lambda name: notebook
serve.serve(run, port=0, announce=lambda url: print(url, flush=True))
"""


def test_a_failing_cell_is_told_by_a_number(small_run: Run, tmp_path: Path) -> None:
    book = nbformat.read(notebook_path("overview"), as_version=4)
    book.cells[1].source = f"import sys\nprint({SECRET!r}, file=sys.stderr)\nraise RuntimeError({SECRET!r})"
    notebook = tmp_path / "overview.ipynb"
    nbformat.write(book, notebook)
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(small_run.path), str(notebook)],
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + 120
        while not (url := re.search(r"http://\S+", log.read_text(encoding="utf-8"))):
            assert time.monotonic() < until
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        viewer = Attacker(url[0].partition("?")[0])
        page = viewer.page(f"/?{urlsplit(url[0]).query}")
        told = re.search("错误编号 ([0-9a-f]{8})", page.text)
        assert told, page.text[-600:]
        assert told[1] == page.kernel[:8]
        for word in (SECRET, "RuntimeError", "Traceback", "Voil\u00e0", "ipykernel", "/tmp/"):
            assert word not in page.text
        logged = log.read_text(encoding="utf-8")
        assert re.search(f"错误编号 {told[1]}：Error at server", logged)
        assert SECRET in logged
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
