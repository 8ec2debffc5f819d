"""A run in memory is the run that is written, and every figure traces to its cell."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.errors import UsageError
from huanjie_lib.ledgers import Casework
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.store.run_folder import RUN_TABLES, read_run
from huanjie_lib.views.summary import unit_profile
from huanjie_lib.vocabulary import ValueStatus
from huanjie_lib.workbench import assess, open_data, write_assessment
from huanjie_lib.workbench.assessment import _renewed

AS_OF = dt.date(2026, 10, 31)


def test_writing_and_assessing_in_memory_give_the_same_tables(small_city: Path, tmp_path: Path) -> None:
    written = write_assessment(small_city, tmp_path, as_of=AS_OF, parameters=load_parameters())
    again = read_run(tmp_path)
    held = assess(open_data(str(small_city)), as_of="2026-10-31")
    for name in RUN_TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(held, name), check_dtype=False)
    assert written.manifest == again.manifest


def test_rows_are_conserved_and_the_manifest_says_what_was_read(small_city_run: Path) -> None:
    run, sheets = read_run(small_city_run), set()
    counts = run.manifest["intake"]
    assert counts["read"] == counts["loaded"] + counts["quarantined"] + counts["dropped"] > 0
    assert (small_city_run / "intake" / "report.csv").exists()
    for code in run.units["unit_code"].iloc[::5]:
        for loss in unit_profile(run, code).losses:
            assert loss.cells or loss.status is not ValueStatus.OBSERVED, (code, loss.indicator)
            sheets |= {
                found[1] for line in loss.cells if (found := re.search(r"工作表“(.+?)”，.*[A-Z]+\d", line))
            }
    assert {"基本情况", "审计台账", "审计对象", "选民登记核对"} <= sheets


def test_figures_trace_to_the_cell_of_a_return(small_city_run: Path) -> None:
    run = read_run(small_city_run)
    rows = run.indicators[run.indicators["source_file"].str.startswith("returns/", na=False)]
    assert rows["source_sheet"].isin({"基本情况", "矛盾摸排", "资格联审"}).any()
    assert np.isfinite(rows["source_row"].astype(float)).all()


def test_boundaries_hold_the_units_of_the_run(small_city_run: Path) -> None:
    run = read_run(small_city_run)
    boundaries = run.boundaries()
    assert boundaries["unit_code"].tolist() == run.units["unit_code"].tolist()
    assert boundaries.crs.to_epsg() == 4490


def test_an_earlier_run_is_accounted_for_and_a_wrong_one_refused(small_city: Path, tmp_path: Path) -> None:
    parameters = load_parameters()
    before, now = tmp_path / "before", tmp_path / "now"
    write_assessment(small_city, before, as_of=dt.date(2026, 9, 30), parameters=parameters)
    done = write_assessment(
        small_city, now, as_of=dt.date(2026, 10, 31), parameters=parameters, previous=before
    )
    assert done.manifest["previous"] == {
        "as_of": "2026-09-30",
        "manifest_sha256": file_digest(before / "manifest.json"),
    }
    run = read_run(now)
    assert len(run.changes) == len(run.index)
    assert "change" in set(run.readings["topic"])
    for previous, words in ((now, "上次评估会被本次覆盖"), (before, "上次评估不早于本次")):
        with pytest.raises(UsageError, match=words):
            write_assessment(
                small_city, now, as_of=dt.date(2026, 9, 30), parameters=parameters, previous=previous
            )


def test_facts_put_right_under_an_earlier_pseudonym_are_found_again_after_new_keys() -> None:
    old = KeyRing.from_seed(1)
    new = old.rotated()
    then, stranger = (old.pseudonym("person", number) for number in ("1", "2"))
    now = new.successor(then)
    key = {"project_id": "A1", "person_ref": then}
    told = {"amendments": [{"table": "audit_subjects", "key": key, "set": {"outcome": "clear"}}]}
    events = pd.DataFrame({"payload": [json.dumps(told), json.dumps({"note": f"见{stranger}"})]})
    tables = {"audit_subjects": pd.DataFrame({"person_ref": [now]})}
    before = Casework(events, 2, "ab" * 32)
    after = _renewed(before, new, tables)
    assert json.loads(after.events["payload"][0])["amendments"][0]["key"]["person_ref"] == now
    assert after.events["payload"][1] == events["payload"][1]  # nobody in the tables: left as recorded
    assert (after.sequence, after.head) == (before.sequence, before.head)
    assert _renewed(before, old, tables).events["payload"].tolist() == events["payload"].tolist()
