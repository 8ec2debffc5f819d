"""Evidence files cut off half-way: never counted, never taken for whole, and completed by trying again."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from huanjie_lib.errors import TransitionError
from huanjie_lib.store.evidence import EvidenceFolder
from huanjie_lib.store.ledger import Ledger, open_ledger
from tests.faults.disk import Disk, read_log, watched
from tests.faults.failing import CASE, rectify
from tests.faults.histories import dispatch, opening

ROOT = Path(__file__).resolve().parents[2]
CONTENT = Random(1).randbytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()

PUT = """
import sys
from pathlib import Path
from huanjie_lib.store.evidence import EvidenceFolder
class Slow:
    def read(self, size):
        print("asked", flush=True)
        return sys.stdin.buffer.read(size)
EvidenceFolder(Path(sys.argv[1])).put(Slow(), name="照片.jpg", media_type="image/jpeg")
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = open_ledger(tmp_path / "ledger.db", create=True)
    made.append(opening("e0", CASE))
    made.append(dispatch("e1", CASE, 1))
    return made


def kill_half_way(folder: Path) -> None:
    """Kill a process that has taken over two thirds of a file and waits for the rest."""
    uploader = subprocess.Popen(
        [sys.executable, "-c", PUT, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert uploader.stdin is not None
    assert uploader.stdout is not None
    for start in (0, 1 << 20):
        assert uploader.stdout.readline() == b"asked\n"
        uploader.stdin.write(CONTENT[start : start + (1 << 20)])
        uploader.stdin.flush()
    assert uploader.stdout.readline() == b"asked\n"
    uploader.kill()
    uploader.communicate()


def test_an_upload_killed_half_way_is_not_evidence_and_can_be_tried_again(ledger: Ledger) -> None:
    evidence = ledger.evidence
    kill_half_way(evidence.path)
    left = [path for path in evidence.path.rglob("*") if path.is_file()]
    assert [path.stat().st_size > 1_000_000 for path in left] == [True]  # half a file is there
    assert list(evidence.digests()) == []
    assert not evidence.holds(DIGEST, len(CONTENT))
    assert ledger.verify() == []
    rectify(ledger, "e2", 2, CONTENT)
    assert list(evidence.digests()) == [DIGEST]
    assert ledger.verify() == []


def test_a_rectification_is_refused_while_its_file_is_not_whole(ledger: Ledger) -> None:
    kill_half_way(ledger.evidence.path)
    left = next(path for path in ledger.evidence.path.rglob("*") if path.is_file())
    place = ledger.evidence.path / DIGEST[:2] / DIGEST
    place.parent.mkdir()
    left.rename(place)  # what a program would leave that writes under the final name
    keep = EvidenceFolder.put
    with pytest.MonkeyPatch.context() as patch:
        other = EvidenceFolder(ledger.evidence.path.with_name("elsewhere"))
        patch.setattr(EvidenceFolder, "put", lambda _, *a, **k: keep(other, *a, **k))
        with pytest.raises(TransitionError, match="没有收到文件"):
            rectify(ledger, "e2", 2, CONTENT)
    assert [fault.kind for fault in ledger.verify()] == ["evidence"]
    rectify(ledger, "e2", 2, CONTENT)  # sent whole, it takes the damaged one's place
    assert ledger.verify() == []


@pytest.mark.parametrize("damage", ["cut short", "changed", "gone"])
def test_a_damaged_file_is_found_and_named_by_its_event(ledger: Ledger, damage: str) -> None:
    rectify(ledger, "e2", 2, CONTENT)
    place = ledger.evidence.path / DIGEST[:2] / DIGEST
    if damage == "gone":
        place.unlink()
    elif damage == "changed":
        place.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    else:
        os.truncate(place, 1_000_000)
    assert [(fault.kind, fault.sequence) for fault in ledger.verify()] == [("evidence", 3)]
    ledger.evidence.put(io.BytesIO(CONTENT), name="照片.jpg", media_type="image/jpeg")
    assert ledger.verify() == []


@pytest.mark.parametrize("made_before", [[], ["evidence"], ["evidence", f"evidence/{DIGEST[:2]}"]])
def test_a_kept_file_survives_a_power_cut_whoever_made_its_folders(
    shim: Path, tmp_path: Path, made_before: list[str]
) -> None:
    # A writer killed right after it made a folder has not synced the folder's name; the next one must.
    root, log = tmp_path / "root", tmp_path / "log"
    root.mkdir()
    code = (
        "import io, os, sys\nfrom pathlib import Path\nfrom random import Random\n"
        "from huanjie_lib.store.evidence import EvidenceFolder\nroot, *folders = sys.argv[1:]\n"
        "for folder in folders:\n    os.mkdir(f'{root}/{folder}')\n"
        "content = io.BytesIO(Random(1).randbytes(3_000_000))\n"
        "EvidenceFolder(Path(root) / 'evidence').put(content, name='a', media_type='image/jpeg')\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(root.resolve()), *made_before],
        cwd=ROOT,
        env=watched(shim, root, log),
        check=True,
    )
    disk = Disk(root)
    for operation in read_log(log):
        disk.follow(operation)
    assert {
        name: hashlib.sha256(c).hexdigest() for name, c in disk.after_a_cut("lost", Random(1)).items()
    } == {f"evidence/{DIGEST[:2]}/{DIGEST}": DIGEST}
