from __future__ import annotations

import pytest

from huanjie_lib.contracts import TABLES, table
from huanjie_lib.intake.headings import (
    Heading,
    known_units,
    metric_lookup,
    metric_names,
    normalise,
    table_names,
)
from huanjie_lib.parameters import ParameterSet


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("户籍\n人口 （人）", "户籍人口(人)"),
        ("*姓名：", "姓名"),
        ("１８－２４岁", "18-24岁"),
        ("\ufeffUnit_Code", "unit_code"),
    ],
)
def test_headings_are_compared_without_form(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_contract_heading_is_understood(name: str) -> None:
    names = table_names(TABLES[name], known_units({}))
    for column in TABLES[name].columns:
        if column.kind == "geometry":
            continue
        for text in (column.name, column.label, *column.aliases):
            found = names.match(text)
            assert found == Heading(column.name)
        if column.unit:
            unit = normalise(column.unit)
            assert names.match(f"{column.label}（{column.unit}）") == Heading(column.name, unit=unit)


def test_every_metric_heading_is_understood(parameters: ParameterSet) -> None:
    metrics = parameters.framework.metrics
    names = metric_names(metrics, known_units(metrics))
    for name, metric in metrics.items():
        for text in (name, metric.label, *metric.aliases):
            assert names.match(text) == Heading(name)
            assert names.match(f"{text}({metric.unit})") == Heading(name, unit=normalise(metric.unit))
            assert metric_lookup(metrics)[text] == name


def test_units_of_measure(parameters: ParameterSet) -> None:
    metrics = parameters.framework.metrics
    names = metric_names(metrics, known_units(metrics))
    assert names.match("集体经济年收入（万元）") == Heading("collective_income", 10_000.0, "万元")
    assert names.match("集体经济年收入（单位：亿元）") == Heading("collective_income", 1e8, "亿元")
    assert names.match("总户数（人）") == Heading("households", unit="人", clash=True)
    assert names.match("总户数（含外来）") == Heading("households")  # a remark, not a unit
    assert names.match("总人数") is None


def test_names_with_brackets_are_no_units() -> None:
    names = table_names(table("units"), known_units({}))
    assert names.match("村（社区）名称") == Heading("unit_name")
    assert names.match("村(社区)") == Heading("unit_name")
