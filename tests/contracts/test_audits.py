"""Everything of an audit names its unit and its project, and is dated in order."""

from __future__ import annotations

from huanjie_lib.contracts.audits import AUDITS


def test_everything_of_an_audit_names_its_project_and_its_unit() -> None:
    projects, *parts = AUDITS
    assert projects.key == ("project_id",)
    for contract in parts:
        assert {(r.column, r.table) for r in contract.references} == {
            ("unit_code", "units"),
            ("project_id", projects.name),
        }


def test_only_whom_is_audited_is_personal() -> None:
    assert [contract.name for contract in AUDITS if contract.personal] == ["audit_subjects"]
