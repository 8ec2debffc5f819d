"""Write docs/data_dictionary.md from the contracts and the default packs.

Run it after changing either; ``--check`` only tells whether the file is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from huanjie_lib.contracts import EVENT_STREAMS, SOURCE_COLUMNS, TABLES, Column, Table
from huanjie_lib.parameters import (
    ChangeMeasure,
    DerivedMeasure,
    Indicator,
    MetricMeasure,
    ParameterSet,
    Remedy,
    RuleRef,
    SetEffect,
    ShareEffect,
    StepEffect,
    available_regions,
    load_parameters,
)
from huanjie_lib.vocabulary import PortraitAspect, UnitKind

TARGET = Path(__file__).resolve().parent.parent / "docs" / "data_dictionary.md"
HEAD = """# Data dictionary

Generated from `huanjie_lib/contracts` and the default packs by `python tools/data_dictionary.py`; do not
edit by hand. Every table also carries the source columns at the end of this page.
"""


def row(cells: list[str]) -> str:
    """Return one Markdown table row with pipes escaped."""
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def grid(heading: list[str], rows: list[list[str]]) -> list[str]:
    """Return a Markdown table."""
    return [row(heading), row(["---"] * len(heading)), *(row(r) for r in rows)]


def column_row(column: Column, key: tuple[str, ...]) -> list[str]:
    """Return the dictionary line of one column."""
    need = "key" if column.name in key else "required" if column.required else ""
    return [f"`{column.name}`", column.label, column.kind, column.unit, need, column.allowed(), column.note]


def table_part(table: Table) -> list[str]:
    """Return the dictionary part of one table."""
    rules = [f"`{r.earlier}` ≤ `{r.later}`" for r in table.orders]
    rules += [f"`{r.column}` stands in `{r.table}`" for r in table.references]
    lines = [f"## `{table.name}` {table.label}", "", table.note, ""]
    lines.append(f"Purpose: {table.purpose}." + (" Concerns natural persons." if table.personal else ""))
    if rules:
        lines.append(f"Rules: {'; '.join(rules)}.")
    heading = ["column", "heading", "type", "unit", "need", "accepted", "meaning"]
    return [*lines, "", *grid(heading, [column_row(c, table.key) for c in table.columns]), ""]


def measure_text(indicator: Indicator) -> str:
    """Return how an indicator is measured."""
    measure = indicator.measure
    if isinstance(measure, DerivedMeasure):
        return f"`{measure.function}`"
    if isinstance(measure, ChangeMeasure):
        return f"change of `{measure.metric}` over {measure.months} months"
    assert isinstance(measure, MetricMeasure)
    text = f"`{measure.metric}`"
    if measure.months is not None:
        text += f" summed over {measure.months} months"
    if measure.per is not None:
        text += f" / `{measure.per}`"
    return text + (f" × {measure.scale:g}" if measure.scale != 1 else "")


def bound(limit: float | None) -> str:
    """Return a bound as text, empty where there is none."""
    return "" if limit is None else f"{limit:g}"


def effect_text(effect: SetEffect | ShareEffect | StepEffect) -> str:
    """Return what a measure does to one indicator."""
    if isinstance(effect, SetEffect):
        text = f"`{effect.indicator}` → {effect.value:g}"
        return text + (" (also where missing)" if effect.establishes else "")
    if isinstance(effect, ShareEffect):
        return f"`{effect.indicator}` {effect.share:.0%} of the way to {effect.toward:g}"
    return f"`{effect.indicator}` {effect.step:+g} each time, to {effect.until:g}"


def cost_text(measure: Remedy) -> str:
    """Return the team-days of a measure."""
    cost = measure.cost
    parts = [f"{cost.fixed:g}"] if cost.fixed else []
    if cost.each:
        per = "time" if cost.per is None else f"{cost.size:g} of `{cost.per}`"
        parts.append(f"{cost.each:g} per {'missing value' if measure.reports else per}")
    return " + ".join(parts)


def condition_text(measure: Remedy) -> str:
    """Return what a measure requires, excludes and replaces."""
    parts = (("after", measure.requires), ("not with", measure.excludes), ("instead of", measure.replaces))
    texts = [f"{word} {', '.join(f'`{i}`' for i in ids)}" for word, ids in parts if ids]
    return "; ".join(texts + [f"no more often than `{b}` leaves to do" for b in measure.bounded_by])


def library_part(parameters: ParameterSet) -> list[str]:
    """Return the measures library."""
    library = parameters.measures
    assert library is not None
    lines = ["", "# Measures library", "", f"One team-day (工作组日): {library.cost_unit}.", ""]
    lines += grid(
        [
            "measure",
            "label",
            "does",
            "team-days",
            "days",
            "conditions",
            "gates",
            "cannot",
            "confidence",
            "source",
        ],
        [
            [
                f"`{m.id}`",
                m.label,
                "; ".join(
                    [effect_text(e) for e in m.effects]
                    + [f"answers `{a}`, regains nothing" for a in m.answers]
                    + ["reports missing values, counted as nothing"] * m.reports
                )
                + (f"; up to {m.times} times" if m.times > 1 else ""),
                cost_text(m),
                f"{m.duration_days}" + (" each time" if m.sequential else ""),
                condition_text(m),
                ", ".join(f"`{g}`" for g in m.gates),
                m.limits,
                m.confidence,
                m.source,
            ]
            for m in library.measures
        ],
    )
    lines += ["", "Indicators that no measure changes:", ""]
    rows = [[f"`{u.indicator}`", u.reason] for u in library.unremediable]
    return [*lines, *grid(["indicator", "why"], rows)]


def signal_part(parameters: ParameterSet) -> list[str]:
    """Return the anomaly checks and their thresholds; none where the pack declares none."""
    pack = parameters.signals
    if pack is None:
        return []
    head = (
        f"False flags among those of a kind: at most {pack.fdr:.0%} expected. Least units: {pack.min_units}."
    )
    rows = []
    for signal in pack.signals:
        options = ", ".join(f"{k} {option_text(v)}" for k, v in signal.options.items())
        shown = "restricted" if signal.restricted else "all roles"
        texts = [signal.label, signal.definition, signal.null_model, options, signal.follow_up]
        rows.append([f"`{signal.id}`", *texts, shown, signal.source])
    heading = [
        "signal",
        "label",
        "meaning",
        "judged against",
        "thresholds",
        "follow-up",
        "shown to",
        "source",
    ]
    return ["", "# Signals", "", head, "", *grid(heading, rows)]


def talent_part(parameters: ParameterSet) -> list[str]:
    """Return what portraits expect, posts ask for, steps raise and teams need; none without a talent pack."""
    pack = parameters.talent
    if pack is None:
        return []
    due = {"within": "in its year", "after": "after its year"}
    evidence = [
        [
            f"{e.aspect.label} `{e.aspect}`",
            e.kind.label,
            f"{e.share:g}",
            f"{e.half_life_years:g} years",
            f"{e.horizon_years}",
            due[e.due],
        ]
        for e in pack.evidence
    ]
    profiles = [
        [
            f"`{p.id}`",
            p.label,
            p.post.label,
            p.unit_kind.label if p.unit_kind else "all",
            weights_text(p.weights),
        ]
        for p in pack.profiles
    ]
    needs = [[f"`{n.dimension}`", n.aspect.label, f"{n.gain:g}"] for n in pack.needs]
    steps = [[s.step.label, f"{s.days}", f"{s.per_mentor}", weights_text(s.rise)] for s in pack.steps]
    targets = [
        [f"`{t.id}`", t.label, "always" if t.hard else f"or {t.penalty:g} points of fit a member", t.source]
        for t in pack.targets
    ]
    return [
        *("", "# Talent", "", f"What is unknown of an aspect counts {pack.missing:g} in the mean.", ""),
        *grid(["aspect", "evidence", "share", "half-life", "years that count", "due"], evidence),
        *("", "What posts ask for:", ""),
        *grid(["profile", "label", "post", "units", "weights"], profiles),
        *(
            "",
            "An aspect counts 1 + gain × share times as much where a unit loses that share of a dimension:",
            "",
        ),
        *grid(["dimension", "aspect", "gain"], needs),
        *("", "What cultivation is expected to raise:", ""),
        *grid(["step", "days", "people a mentor", "points"], steps),
        *("", "Structure of committees, never a condition on a person:", ""),
        *grid(["target", "label", "kept", "source"], targets),
    ]


def weights_text(weights: Mapping[PortraitAspect, float]) -> str:
    """Return aspects with their figures, largest first."""
    ordered = sorted(weights.items(), key=lambda item: -item[1])
    return "、".join(f"{aspect.label} {figure:g}" for aspect, figure in ordered)


def option_text(value: object) -> str:
    """Return an option's value, or the rule it is taken from."""
    if isinstance(value, RuleRef):
        return f"of rule `{value.rule}`"
    return "、".join(value) if isinstance(value, tuple) else f"{value}"


def parameter_part() -> list[str]:
    """Return the metrics, indicators, gates and rules of the default packs."""
    parameters = load_parameters()
    lines = ["# Metrics of `facts`", ""]
    lines += grid(
        ["metric", "label", "unit", "family", "kind", "range", "stale after"],
        [
            [
                f"`{name}`",
                m.label,
                m.unit,
                m.family,
                m.kind,
                f"{bound(m.minimum)} … {bound(m.maximum)}",
                f"{m.max_age_days} days" if m.kind == "stock" else "every month of the window",
            ]
            for name, m in parameters.framework.metrics.items()
        ],
    )
    lines += ["", "# Indicators of the default framework", ""]
    lines += grid(
        [
            "dimension",
            "indicator",
            "label",
            "measure",
            "weight",
            "value → severity",
            "if missing",
            "applies",
            "source",
        ],
        [
            [
                f"{d.label} {d.weight:g}",
                f"`{i.id}`",
                i.label,
                measure_text(i),
                f"{i.weight:g}",
                ", ".join(f"{x:g} → {s:g}" for x, s in i.reference_points),
                f"{i.missing.assumed:g}",
                "、".join(k.label for k in i.applies_to) if len(i.applies_to) < len(UnitKind) else "all",
                i.source,
            ]
            for d in parameters.framework.dimensions
            for i in d.indicators
        ],
    )
    assert parameters.gates is not None
    lines += ["", "# Gates", ""]
    lines += grid(
        ["gate", "label", "check", "rule", "remedy"],
        [[f"`{g.id}`", g.label, f"`{g.check}`", g.rule, g.remedy] for g in parameters.gates.gates],
    )
    lines += library_part(parameters)
    lines += signal_part(parameters)
    lines += talent_part(parameters)
    for region in available_regions():
        lines += ["", f"# Rules: {region}", ""]
        lines += grid(
            ["rule", "label", "value", "from", "source", "confidence"],
            [
                [
                    f"`{r.id}`",
                    r.label,
                    ("、".join(r.value) if isinstance(r.value, tuple) else f"{r.value}") + r.unit,
                    f"{r.effective_from}",
                    f"{r.source}{r.article}",
                    r.confidence,
                ]
                for r in load_parameters(region=region).rules
            ],
        )
    return lines


def render() -> str:
    """Return the whole dictionary."""
    lines = [HEAD]
    for table in (*TABLES.values(), *EVENT_STREAMS.values()):
        lines += table_part(table)
    heading = ["column", "heading", "type", "unit", "need", "accepted", "meaning"]
    lines += [
        "## Source columns of every table",
        "",
        *grid(heading, [column_row(c, ()) for c in SOURCE_COLUMNS]),
        "",
    ]
    return "\n".join([*lines, *parameter_part(), ""])


def main(arguments: list[str]) -> int:
    """Write the file, or with ``--check`` compare it."""
    text = render()
    if arguments == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET.name} is out of date: run python tools/data_dictionary.py")
        return 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
