"""Fuzz the importers for a while::

    python -m tests.intake.fuzz --seconds 300

Ends with 0 when nothing was found. A find is written to ``--finds`` and told how to run alone:
``python -m tests.intake.fuzz FILE``. It becomes a case of ``tests/intake/corpus/cases.py``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # a thread pool costs tables of ten rows more than it saves

with atheris.instrument_imports(include=["huanjie_lib.intake"]):
    from tests.intake.fuzz.targets import LONGEST, run, seeds


DICTIONARY = (
    *('<c r="A1"', ' t="e"', ' t="s"', ' t="inlineStr"', ' t="str"', ' s="1"', "<v>", "</v>", "<f>", "<row>"),
    *(
        "<is><t>",
        "</sheetData>",
        '<mergeCell ref="A1:B2"/>',
        ' hidden="1"',
        "XFD1048576",
        "<!DOCTYPE",
        "&#x0;",
    ),
    *(
        "摸排编号",
        "统计用区划代码",
        "合计",
        "填报日期：",
        "990101101201",
        '"',
        "\r\n",
        "\t",
        "=",
        "%",
        "2026年10月",
    ),
    *("\x09\x08", "\x0a\x00\x00\x00", "\x06\x00", "\x85\x00"),
)


def _escaped(text: str) -> str:
    """Return a text as a dictionary of the fuzzer spells it."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode("latin-1" if text.isascii() else "utf-8"))


def main() -> None:
    """Read the command line and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.intake.fuzz", description=__doc__)
    parser.add_argument("inputs", nargs="*", type=Path, help="inputs to run alone")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--inputs", dest="most", type=int, default=-1, help="end after so many")
    parser.add_argument("--seed", type=int, default=20261031)
    parser.add_argument("--finds", type=Path, default=Path("build/fuzz"))
    known = parser.parse_args()
    if known.inputs:
        for path in known.inputs:
            run(path.read_bytes())
        return
    known.finds.mkdir(parents=True, exist_ok=True)
    corpus = Path(tempfile.mkdtemp(prefix="huanjie-corpus-"))
    for number, seed in enumerate(seeds()):
        (corpus / f"{number:03}").write_bytes(seed)
    words = corpus.parent / f"{corpus.name}.dict"
    words.write_text("".join(f'"{_escaped(w)}"\n' for w in DICTIONARY), encoding="ascii")
    options = [
        f"-dict={words}",
        f"-max_total_time={known.seconds}",
        f"-runs={known.most}",
        f"-seed={known.seed}",
        f"-artifact_prefix={known.finds}/",
        f"-max_len={LONGEST}",
        "-rss_limit_mb=4096",
        "-timeout=30",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


main()
