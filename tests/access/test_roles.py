from __future__ import annotations

import pytest

from huanjie_lib.access.roles import columns_for, grant_of, may_read, require
from huanjie_lib.errors import UsageError
from huanjie_lib.vocabulary import Role


def test_roles_are_the_seven_of_the_work_and_the_program() -> None:
    assert [role.label for role in Role] == [
        "系统",
        "市换届办",
        "县换届办",
        "镇街",
        "审计",
        "联审",
        "人才",
        "只读",
    ]


@pytest.mark.parametrize(
    ("table", "readers"),
    [
        ("run/index", {"city", "county", "township", "audit", "review", "talent", "reader"}),
        ("tables/facts", {"city", "county", "township"}),
        ("ledgers/audit_units", {"city", "county", "township", "audit"}),
        ("restricted/audit_members", {"city", "county", "audit"}),
        ("restricted/signals", {"city", "county"}),
        ("tables/reviews", {"city", "county", "review"}),
        ("talent/people", {"city", "talent"}),
        ("store/access_log", {"city", "audit"}),
        ("tables/identities", set()),
    ],
)
def test_who_reads_what(table: str, readers: set[str]) -> None:
    assert {role.value for role in Role if role is not Role.SYSTEM and may_read(role, table)} == readers
    assert may_read(Role.SYSTEM, table)


def test_a_table_is_read_for_its_purpose_alone_and_references_for_any() -> None:
    assert require(Role.TALENT, "talent/people", "talent").table == "talent/people"
    with pytest.raises(UsageError, match=r"用于选情研判.*只用于人才工作"):
        require(Role.TALENT, "talent/people", "risk")
    assert may_read(Role.TOWNSHIP, "tables/units", "casework")


def test_columns_may_have_fewer_readers_than_their_table() -> None:
    assert "published_by" in columns_for(Role.COUNTY, "store/runs")
    assert columns_for(Role.READER, "store/runs")[:3] == ["number", "run_id", "as_of"]
    assert not {"published_by", "source_file"} & set(columns_for(Role.READER, "tables/runs"))
    assert columns_for(Role.READER, "restricted/talks") == []


def test_what_nobody_has_thought_about_is_read_by_nobody() -> None:
    with pytest.raises(KeyError):
        grant_of("run/secrets")
    with pytest.raises(UsageError, match="任何角色都不能整表查阅"):
        require(Role.CITY, "tables/identities")
