import datetime as dt
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from huanjie_lib.access.grants import GRANTS
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.rotation import Rotation, rotate_tree
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.ledgers import Casework
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import make_city, write_city
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.run_folder import RUN_TABLES, Run, file_digest, read_ledgers, read_run
from huanjie_lib.views.summary import unit_profile
from huanjie_lib.vocabulary import CaseEvent, Role, ValueStatus
from huanjie_lib.workbench import (
    WEIGHT_METHODS,
    _renewed,
    assess,
    backtest_city,
    check_ledger,
    open_data,
    open_data_of,
    open_run,
    propose_weights,
    publish_run,
    read_casework,
    rotate_keys,
    weight_effect,
    write_assessment,
    write_proposal,
)
from tests.offices import CITY, life

AS_OF = dt.date(2026, 10, 31)
SEED = 20261031
SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"


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


def test_data_are_read_beside_the_run_they_gave_and_no_other(
    small_city: Path, small_city_run: Path, tmp_path: Path
) -> None:
    run = open_run(str(small_city_run))
    assert run.path == small_city_run
    intake = open_data_of(run, small_city)
    assert intake.digests() == run.manifest["inputs"]
    other = Path(shutil.copytree(small_city, tmp_path / "city"))
    pd.read_parquet(other / "tables" / "leads.parquet").iloc[1:].to_parquet(
        other / "tables" / "leads.parquet"
    )
    with pytest.raises(DataError, match=r"1 个文件不同，如 tables/leads\.parquet"):
        open_data_of(run, other)
    with pytest.raises(DataError, match="先运行 huanjie run"):
        open_run(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_data(tmp_path)


@pytest.mark.parametrize("method", WEIGHT_METHODS)
def test_every_method_proposes_and_the_adopted_colours_are_the_published_ones(
    small_run: Run, method: Any
) -> None:
    judgments = SAMPLE / "judgments.csv" if method == "ahp" else None
    proposal = propose_weights(small_run, method, judgments=judgments)
    assert proposal.method == method
    effect = weight_effect(small_run, proposal)
    published = small_run.index.set_index("unit_code")
    assert effect.units["level"].to_dict() == published["level"].to_dict()
    np.testing.assert_allclose(effect.units["index"].reindex(published.index), published["index"])
    assert effect.hysteresis
    assert f"as_of={AS_OF}" in repr(effect)


def test_judgments_are_asked_for_where_needed_and_refused_where_not(small_run: Run) -> None:
    with pytest.raises(UsageError, match="用 --judgments 指定判断表"):
        propose_weights(small_run, "ahp")
    with pytest.raises(UsageError, match="只用于 ahp 和 combined"):
        propose_weights(small_run, "entropy", judgments=SAMPLE / "judgments.csv")
    with pytest.raises(ValueError, match="manual"):
        propose_weights(small_run, "manual")
    alone = propose_weights(small_run, "combined").explain()
    assert "采用的权重与熵权法、CRITIC 法、标准差法的平均值各占一半" in alone
    judged = propose_weights(small_run, "combined", judgments=SAMPLE / "judgments.csv").explain()
    assert "专家判断（层次分析法）与" in judged


def test_a_proposal_and_its_table_are_written_together_or_not_at_all(small_run: Run, tmp_path: Path) -> None:
    words: dict[str, Any] = {"author": "换届办", "reason": "试算", "effective_from": AS_OF}
    proposal = propose_weights(small_run, "equal")
    table, effect = write_proposal(small_run, proposal, tmp_path / "a", **words)
    rows = pd.read_csv(table, dtype=str)
    assert len(rows) == len(effect.units)
    assert rows["村（社区）"].str.startswith("'=").sum() == 1, "a name is never a formula"
    (tmp_path / "b_comparison.csv").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="还没有的文件"):
        write_proposal(small_run, proposal, tmp_path / "b", **words)
    assert not (tmp_path / "b").exists()
    assert load_parameters(tmp_path / "a").framework.reason == "试算"


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


def test_a_city_backtests_its_own_past_election_against_its_index(tmp_path: Path) -> None:
    write_city(make_city(units=240), tmp_path / "city")
    intake = open_data(tmp_path / "city")
    card = backtest_city(intake, test_term=2021, draws=20)
    assert card.facts["feature_term"] == 2018
    assert {"index", "last_value", "logistic"} <= set(card.scores.index)
    assert 0.9 * card.facts["units"] < card.levels["units"].sum() <= card.facts["units"]  # some had no record
    assert not card.adoption["adopted"].any()
    assert card.facts["parameters"] == load_parameters().version
    del intake.tables["outcomes"]
    with pytest.raises(DataError, match="选情结果"):
        backtest_city(intake, test_term=2021)


@pytest.fixture(scope="module")
def published(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small city that took an empty ledger."""
    folder = tmp_path_factory.mktemp("published")
    open_ledger(folder / "store", create=True).close()
    casework = read_casework(folder / "store")
    parameters = load_parameters()
    write_assessment(small_city, folder / "run", as_of=AS_OF, parameters=parameters, casework=casework)
    return folder / "run"


def test_every_column_of_a_run_folder_has_readers(published: Path) -> None:
    seen = set()
    for file in sorted(published.rglob("*.parquet")):
        place = file.parent.name if file.parent != published else "run"
        if place == "intake" or file.parent.parent.name == "intake":
            continue  # what was refused, for whoever keeps the data
        grant = GRANTS[f"{place}/{file.stem}"]
        assert list(grant.columns) == pq.read_schema(file).names, grant.table
        seen.add(grant.table)
    assert seen >= {name for name in GRANTS if name.startswith(("run/", "ledgers/", "restricted/"))}


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


class TestPublishing:
    """A run is published as a whole and once, and only when it knows what the ledger knows."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        """An empty ledger."""
        open_ledger(tmp_path / "store", create=True).close()
        return tmp_path / "store"

    def close(self, ledger: Ledger, case_id: str, on: dt.date) -> None:
        """Take a case from alert to closure on one day."""
        case = ledger.case(case_id)
        town = Actor("li", "责任单位", Role.TOWNSHIP)
        kept = ledger.evidence.put(io.BytesIO(b"photo"), name="a.jpg", media_type="image/jpeg").to_json()
        steps: list[tuple[CaseEvent, Actor, dict[str, Any]]] = [
            (CaseEvent.DISPATCH, CITY, {"owner": town.office, "due_on": "2026-12-31", "note": ""}),
            (CaseEvent.RECTIFY, town, {"note": "", "evidence": [kept], "amendments": []}),
            (CaseEvent.SUBMIT, town, {"note": ""}),
            (CaseEvent.CLOSE, CITY, {"note": ""}),
        ]
        for number, (event, actor, payload) in enumerate(steps):
            version = case.version + number
            ledger.append(Action(f"{case_id}-{event}", case_id, event, actor, on, version, payload))

    def test_every_alert_opens_one_case_leads_included(self, published: Path, store: Path) -> None:
        alerts = read_ledgers(published, restricted=True)["alerts"]
        done = publish_run(published, store, account="chen")
        assert (done.first_time, done.opened, done.reopened) == (True, len(alerts), 0)
        with open_ledger(store, read_only=True) as ledger:
            cases = ledger.cases()
            assert sorted(cases["cause"]) == sorted(alerts["cause"])
            assert cases["restricted"].sum() == alerts["restricted"].sum() > 0
            assert set(ledger.events()["actor"]) == {"chen"}
        again = publish_run(published, store, account="chen")
        assert (again.first_time, again.opened) == (False, len(alerts))
        assert check_ledger(store).faults == []

    def test_a_run_that_does_not_know_of_a_closure_is_refused(
        self, published: Path, store: Path, small_city: Path, small_city_run: Path, tmp_path: Path
    ) -> None:
        publish_run(published, store, account="chen")
        with open_ledger(store) as ledger:
            case_id = ledger.cases()["case_id"].iloc[0]
            self.close(ledger, case_id, AS_OF)
        assert read_run(small_city_run).manifest["casework"] is None
        with pytest.raises(UsageError, match="1 件案件在评估截至日前已销号"):
            publish_run(small_city_run, store, account="chen")
        assert not publish_run(published, store, account="chen").first_time, "what was published stays so"
        casework = read_casework(store)
        parameters = load_parameters()
        write_assessment(small_city, tmp_path / "run", as_of=AS_OF, parameters=parameters, casework=casework)
        done = publish_run(tmp_path / "run", store, account="chen")
        assert (done.opened, done.reopened) == (0, 1), (
            "the facts have not changed: the trouble is still there"
        )

    def test_a_run_of_another_ledger_and_an_altered_folder_are_refused(
        self, published: Path, store: Path, small_city: Path, tmp_path: Path
    ) -> None:
        with open_ledger(tmp_path / "other", create=True) as other:
            other.append(next(life()))
        casework, parameters = read_casework(tmp_path / "other"), load_parameters()
        write_assessment(small_city, tmp_path / "run", as_of=AS_OF, parameters=parameters, casework=casework)
        with pytest.raises(UsageError, match="不是评估时用的台账"):
            publish_run(tmp_path / "run", store, account="chen")
        folder = Path(shutil.copytree(published, tmp_path / "altered"))
        alerts = pd.read_parquet(folder / "ledgers" / "alerts.parquet")
        alerts.iloc[1:].to_parquet(folder / "ledgers" / "alerts.parquet", index=False)
        with pytest.raises(DataError, match=r"alerts\.parquet：发现“与评估时写出的不同”"):
            publish_run(folder, store, account="chen")
        with open_ledger(store, read_only=True) as ledger:
            assert len(ledger.events()) == len(ledger.runs()) == 0


class TestNewKeys:
    """Rotation of a folder that holds the register of the small city and nothing else."""

    @pytest.fixture
    def data(self, small_city: Path, tmp_path: Path) -> Path:
        folder = tmp_path / "data"
        (folder / "tables").mkdir(parents=True)
        names = ("units", "townships", "people", "people_protected", "identities", "kinships", "plans")
        for name in names:
            shutil.copy(small_city / "tables" / f"{name}.parquet", folder / "tables")
        shutil.copy(small_city / "sources.yaml", folder)
        return folder

    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        KeyRing.from_seed(SEED).write(tmp_path / "key")
        return tmp_path / "key"

    def test_the_new_folder_gives_the_same_people_under_new_pseudonyms(
        self, data: Path, key: Path, tmp_path: Path
    ) -> None:
        out, new_key = tmp_path / "new", tmp_path / "new.key"
        done = rotate_keys(data, out, key=key, new_key=new_key)
        old, new = KeyRing.read(key), KeyRing.read(new_key)
        before, after = (open_data(folder, keys=keys) for folder, keys in ((data, old), (out, new)))
        refs = before.tables["people"]["person_ref"].map(new.successor)
        assert after.tables["people"]["person_ref"].tolist() == refs.tolist()
        assert done.sealed == len(before.tables["identities"])
        assert done.fingerprint == new.fingerprint
        assert str(done.pseudonyms) in done.summary()
        sealed = after.tables["identities"].iloc[0]
        assert new.unseal(sealed["name_sealed"], "name", sealed["person_ref"])
        again = rotate_keys(out, tmp_path / "third", key=new_key, new_key=tmp_path / "third.key")
        assert again.pseudonyms == done.pseudonyms
        third = KeyRing.read(tmp_path / "third.key")
        people = open_data(tmp_path / "third", keys=third).tables["people"]["person_ref"]
        assert third.recognised(before.tables["people"]["person_ref"], set(people)) == dict(
            zip(before.tables["people"]["person_ref"], people, strict=True)
        )

    @pytest.mark.parametrize(
        ("name", "change", "told"),
        [
            ("plans", lambda frame: frame.iloc[1:], "plans.parquet：发现“读出的行数与原来不同”"),
            ("people", lambda frame: frame.assign(birth_year=1990), "表 people：发现“更换代号后与原来不同”"),
        ],
    )
    def test_a_new_folder_that_gives_anything_else_does_not_stand(
        self,
        data: Path,
        key: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        change: Callable[[pd.DataFrame], pd.DataFrame],
        told: str,
    ) -> None:
        def spoiled(source: Path, out: Path, rotation: Rotation) -> int:
            files = rotate_tree(source, out, rotation)
            path = out / "tables" / f"{name}.parquet"
            change(pd.read_parquet(path)).to_parquet(path, index=False)
            return files

        monkeypatch.setattr("huanjie_lib.access.rotation.rotate_tree", spoiled)
        before = set(tmp_path.iterdir())
        with pytest.raises(DataError, match=told):
            rotate_keys(data, tmp_path / "new", key=key, new_key=tmp_path / "new.key")
        assert set(tmp_path.iterdir()) == before

    def test_a_key_file_is_never_overwritten(self, data: Path, key: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="密钥文件没有写入"):
            rotate_keys(data, tmp_path / "new", key=key, new_key=key)
        assert not (tmp_path / "new").exists()
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "a").touch()
        with pytest.raises(UsageError, match="文件夹不是空的"):
            rotate_keys(data, tmp_path / "new", key=key, new_key=tmp_path / "new.key")
