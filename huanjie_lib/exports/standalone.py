"""One HTML file that shows a meeting from a memory stick: map, lists, units, what-if sliders, no network.

Everything is inside the page: styles, program, the characters of the Chinese font, boundaries, figures. Its
content security policy allows one script, by its digest, and no request at all. Names and reasons reach the
page as text. What a slider does is computed in the page from the losses of all snapshots
(:func:`huanjie_lib.risk.rescoring.dimension_losses`), in the order of operations of
:func:`~huanjie_lib.risk.rescoring.rescore`, so that a unit has the colour that the what-if screen finds.

Blocks of data, each deflated (zlib) and base64-encoded in a script element that no browser runs:

``hj-data``
    JSON of the words and figures of all units, see :func:`unpack`.
``hj-losses``
    float64, little-endian, shape (dimensions, units, snapshots + 2): losses of the snapshots before, oldest
    first, then the current ones, those with every gap at its worst and at its best.
``hj-scored``
    uint8, shape (units, snapshots): whether any value was observed.
``hj-shapes``, ``hj-outlines``
    Boundaries of the units and of the townships (:mod:`huanjie_lib.views.geometry`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from huanjie_lib.risk.rescoring import Losses, apportion, dimension_losses, rescore
from huanjie_lib.store.run_folder import Run
from huanjie_lib.store.snapshot import part_of
from huanjie_lib.views.charts import trend_svg
from huanjie_lib.views.fonts import font_face_css
from huanjie_lib.views.geometry import encode_geometry
from huanjie_lib.views.meeting import Meeting
from huanjie_lib.views.shapes import group_unions
from huanjie_lib.views.tables import gate_table, gates_of, hover_lines, level_bytes, losses_table
from huanjie_lib.views.words import (
    ADMISSION,
    CONTESTED,
    LEVELS,
    count_text,
    date_text,
    level_notes,
    number_text,
    percent_text,
    present,
    source_text,
    with_names,
)
from huanjie_lib.vocabulary import GateStatus, Level, Topic, UnitKind

__all__ = ["BLOCKS", "STANDALONE_FORMAT", "standalone_page", "unpack"]

STANDALONE_FORMAT: Final = "huanjie-standalone/1"
BLOCKS: Final = ("data", "losses", "scored", "shapes", "outlines")
"""Blocks of data of a page; an element's id is ``hj-`` and the block's name."""

_STEP: Final = 1e-5
"""Step of the boundaries in degrees: 1.1 m."""
_SHOWN_POINTS: Final = 0.05
_CUTS: Final = {"yellow_from": "黄色分界线", "green_from": "绿色分界线"}
_WHOLE: Final = 1000
_BLOCK: Final = re.compile(r'<script type="text/plain" id="hj-(\w+)">([A-Za-z0-9+/=]*)</script>')


def standalone_page(meeting: Meeting, run: Run, *, mark: str) -> str:
    """Return the page of a meeting.

    Parameters
    ----------
    meeting
        What the page shows.
    run
        The run that the meeting was made from, with its whole history, which what-if rescores.
    mark
        Watermark: who hands the page out, for what; stands at the head and on every printed page.

    Returns
    -------
    str
        HTML; equal arguments give an equal page.
    """
    run = part_of(run, (meeting.scope,) if meeting.scope else ())
    data = _data(meeting, run)
    losses = _losses(run)
    shapes = run.shapes()
    townships = group_unions(shapes, run.units["township_code"].to_numpy()).to_numpy()
    blocks = {
        "data": _script_text(data).encode(),
        "losses": b"" if losses is None else _stacked(losses).tobytes(),
        "scored": b"" if losses is None else _scored(losses).tobytes(),
        "shapes": encode_geometry(shapes, step=_STEP).buffer,
        "outlines": encode_geometry(townships, step=_STEP).buffer,
    }
    program = _asset("screens", "standalone.js")
    body = _TEMPLATES.get_template("standalone.html.j2").render(
        meeting=meeting,
        run=run,
        mark=mark,
        data=data,
        policy=_policy(program),
        program=Markup(program),
        blocks={name: _packed(block) for name, block in blocks.items()},
        trend=Markup(trend_svg(meeting.trend)),
        levels=[item.level for item in meeting.overview.levels],
        trial=losses is not None,
        dials=_dials(run),
        cuts={name: (label, getattr(run.parameters.classification, name)) for name, label in _CUTS.items()},
        notes=level_notes(run.parameters),
        licences=_asset("screens", "THIRD_PARTY_LICENSES.txt"),
        admission={status: ADMISSION[status.value] for status in GateStatus},
        contested=CONTESTED,
        styles=Markup("@@STYLES@@"),
        Level=Level,
        count=count_text,
        date=date_text,
        number=number_text,
        percent=percent_text,
        present=present,
    )
    return body.replace("@@STYLES@@", _styles(body, program, blocks["data"].decode()), 1)


def unpack(page: str) -> dict[str, Any]:
    """Return the blocks of a page: ``data`` as Python values, the others as bytes.

    ``data`` holds ``format``, ``as_of``, ``levels``, ``dimensions``, ``cuts``, ``indicators``, ``gates``,
    ``townships`` (code, name, county), ``texts`` (strings that others point to) and ``units``: columns of
    equal length, in the order of the run's units. A loss is (indicator, points, value, date, reason, source,
    row), a verdict (status, reason), a reading (topic, text).

    Raises
    ------
    ValueError
        If it is not such a page.
    """
    found = {name: zlib.decompress(base64.b64decode(text)) for name, text in _BLOCK.findall(page)}
    if tuple(found) != BLOCKS:
        raise ValueError(f"not a standalone page: blocks {tuple(found)}")
    return {**found, "data": json.loads(found["data"])}


class _Texts:
    """Strings, each held once; what is told of them is their place."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {"": 0}

    def __call__(self, text: object) -> int:
        return self._places.setdefault(str(text) if present(text) else "", len(self._places))

    @property
    def all(self) -> list[str]:
        return list(self._places)


def _data(meeting: Meeting, run: Run) -> dict[str, Any]:
    """Return everything about the units that the page shows on demand."""
    framework = run.parameters.framework
    units = meeting.units.set_index("unit_code").loc[run.units["unit_code"]].reset_index()
    townships = units[["township_code", "township_name", "county_name"]].drop_duplicates("township_code")
    places = {code: place for place, code in enumerate(townships["township_code"])}
    texts = _Texts()
    order = [d.id for d in framework.dimensions]
    lost = run.points_lost.pivot_table(index="unit_code", columns="dimension", values="points", aggfunc="sum")
    return {
        "format": STANDALONE_FORMAT,
        "as_of": date_text(meeting.as_of),
        "since": "" if meeting.since is None else meeting.since_text,
        "version": meeting.version,
        "levels": [
            {
                "code": level.code,
                "label": level.label,
                "mark": level.mark,
                "colour": level.colour,
                "dotted": level is Level.UNKNOWN,
                "value": level.value,
            }
            for level in LEVELS
        ],
        "dimensions": [
            {"id": d.id, "label": d.label, "short": d.short, "weight": d.weight} for d in framework.dimensions
        ],
        "cuts": {
            name: getattr(run.parameters.classification, name)
            for name in (*_CUTS, "improve_margin", "worsen_margin")
        },
        "indicators": [
            {"label": i.label, "dimension": framework.dimension_of(i.id).label} for i in framework.indicators
        ],
        "gates": [{"label": g.label, "rule": g.rule, "remedy": g.remedy} for g in gates_of(run)],
        "admission": dict(ADMISSION),
        "contested": CONTESTED,
        "snapshots": [date_text(day.date()) for day in sorted(pd.to_datetime(run.history["as_of"].unique()))],
        "townships": townships.to_numpy(dtype=object).tolist(),
        "units": {
            "code": units["unit_code"].tolist(),
            "name": units["unit_name"].tolist(),
            "kind": [UnitKind.lookup()[kind].label for kind in units["unit_kind"]],
            "township": [places[code] for code in units["township_code"]],
            "level": list(level_bytes(meeting.run)),
            "admission": [verdict if present(verdict) else None for verdict in units["admission"]],
            **{name: _numbers(units[name]) for name in ("index", "index_low", "index_high", "change")},
            "hover": [[texts(line) for line in lines[2:]] for lines in hover_lines(meeting.run)],
            "lost": [
                _numbers(row)
                for row in lost.reindex(index=units["unit_code"], columns=order).to_numpy(dtype=np.float64)
            ],
            "losses": _by_unit(units["unit_code"], _loss_rows(run, texts)),
            "verdicts": _by_unit(units["unit_code"], _verdict_rows(run, texts)),
            "readings": _by_unit(units["unit_code"], _reading_rows(run, texts, units)),
        },
        "texts": texts.all,
    }


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _by_unit(codes: pd.Series[str], rows: Iterable[tuple[str, list[Any]]]) -> list[list[Any]]:
    found: dict[str, list[Any]] = {code: [] for code in codes}
    for code, row in rows:
        found[code].append(row)
    return list(found.values())


def _loss_rows(run: Run, texts: _Texts) -> Iterable[tuple[str, list[Any]]]:
    """Yield what costs a unit points that are seen, the largest first."""
    frame = losses_table(run)
    frame = frame[frame["points"] >= _SHOWN_POINTS]
    columns = ["source_file", "source_sheet", "source_row"]
    cells = run.indicators.set_index(["unit_code", "indicator"])[columns]
    ids = {i.label: (place, i.id) for place, i in enumerate(run.parameters.framework.indicators)}
    keys = [(code, ids[label][1]) for code, label in zip(frame["unit_code"], frame["indicator"], strict=True)]
    sources = cells.reindex(pd.MultiIndex.from_tuples(keys, names=cells.index.names)).to_numpy(dtype=object)
    told = (frame[name] for name in ("unit_code", "indicator", "points", "value", "data_date", "reason"))
    for (code, label, points, value, day, reason), (file, sheet, row) in zip(
        zip(*told, strict=True), sources, strict=True
    ):
        yield (
            code,
            [
                ids[label][0],
                points,
                texts(value),
                texts(date_text(day.date()) if present(day) else ""),
                texts(reason),
                texts(source_text(file, sheet, None)),
                int(row) if present(file) and present(row) else 0,
            ],
        )


def _verdict_rows(run: Run, texts: _Texts) -> Iterable[tuple[str, list[Any]]]:
    places = {status.value: place for place, status in enumerate(GateStatus)}
    frame = gate_table(run)
    for code, status, reason in zip(frame["unit_code"], frame["status"], frame["reason"], strict=True):
        yield code, [places[status], texts(reason)]


def _reading_rows(run: Run, texts: _Texts, units: pd.DataFrame) -> Iterable[tuple[str, list[Any]]]:
    names = dict(zip(units["unit_code"], units["unit_name"], strict=True))
    labels = Topic.labels()
    columns = (run.readings[name] for name in ("unit_code", "topic", "text"))
    for code, topic, text in zip(*columns, strict=True):
        yield code, [texts(labels[topic]), texts(with_names(text, names))]


def _losses(run: Run) -> Losses | None:
    """Return the losses that what-if rescores, or ``None`` where they don't give the run's own colours."""
    kinds = run.units.set_index("unit_code")["unit_kind"]
    losses = dimension_losses(run.indicators, run.history, kinds, run.parameters.framework)
    weights = [d.weight for d in run.parameters.framework.dimensions]
    found = rescore(losses, weights, run.parameters.classification).to_frame()
    told = run.index.set_index("unit_code").loc[losses.units]
    same = (found["level"] == told["level"]).all() and (found["to_verify"] == told["to_verify"]).all()
    return losses if same and np.allclose(found["index"], told["index"], rtol=0, atol=1e-9) else None


def _stacked(losses: Losses) -> npt.NDArray[np.float64]:
    tables = np.concatenate([losses.past, losses.current[None], losses.worst[None], losses.best[None]])
    return np.ascontiguousarray(tables.transpose(2, 1, 0), dtype="<f8")


def _scored(losses: Losses) -> npt.NDArray[np.uint8]:
    scored = np.concatenate([losses.past_scored, losses.scored[None]])
    return np.ascontiguousarray(scored.T).astype(np.uint8)


def _dials(run: Run) -> list[dict[str, Any]]:
    """Return the sliders of the dimensions, in tenths of a percent."""
    dimensions = run.parameters.framework.dimensions
    tenths = apportion([d.weight for d in dimensions], _WHOLE)
    return [
        {"id": d.id, "label": d.label, "tenths": value, "weighed": d.weight > 0}
        for d, value in zip(dimensions, tenths, strict=True)
    ]


def _packed(block: bytes) -> Markup:
    return Markup(base64.b64encode(zlib.compress(block, 9)).decode("ascii"))


def _script_text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _policy(program: str) -> str:
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def _styles(body: str, program: str, data: str) -> str:
    sheets = ("tokens.css", "screen.css", "overview.css", "what_if.css", "standalone.css")
    plain = "".join(chr(code) for code in range(32, 127))
    own = plain + re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL) + _chinese(program)
    return font_face_css(own + data, bold_text=own + data) + "".join(
        _asset("screens", name) for name in sheets
    )


def _chinese(program: str) -> str:
    return "".join(character for character in program if ord(character) > 126)


@cache
def _asset(part: str, name: str) -> str:
    return (files("huanjie_lib") / part / "static" / name).read_text(encoding="utf-8")


_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("huanjie_lib.exports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
