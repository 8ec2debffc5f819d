"""What if the weights or cut-offs were others: what the screen knows, what it shows, and its door.

:class:`WhatIfModel` is the state: plain values, without a widget. :class:`WhatIfView` draws it and feeds
moves back. Nothing that is tried here changes the run; a proposal is written as a pack of its own, and only
into the folder that whoever started the server has allowed.

A move sends one byte per unit and one small message of figures. The list of who changes colour follows when
the slider has come to rest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from markupsafe import Markup

from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.parameters import Classification, Framework
from huanjie_lib.risk.rescoring import (
    ColourChanges,
    Rescored,
    apportion,
    colour_changes,
    dimension_losses,
    rebalance,
    rescore,
)
from huanjie_lib.screens.dials import Dials, parse_move
from huanjie_lib.screens.links import Linked, wrong_date
from huanjie_lib.screens.page import RunModel, Screen, alert, city_map, guarded, head, open_screen
from huanjie_lib.screens.panel import Panel, render, stylesheet
from huanjie_lib.screens.serve import PROPOSALS_VARIABLE
from huanjie_lib.screens.site import Site
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import tables
from huanjie_lib.views.words import count_text, date_text
from huanjie_lib.vocabulary import Level

__all__ = ["WhatIfModel", "WhatIfView", "open_what_if"]

TITLE: Final = "权重与分界线试算"
WHOLE: Final = 1000
"""Weights are set in tenths of a percent, cut-offs in tenths of a point."""
CUTS: Final = {"yellow_from": "黄色分界线", "green_from": "绿色分界线"}
DIRECTIONS: Final = {"all": "全部", "worse": "转差", "better": "转好"}
FIRST_LISTED: Final = 12
MOST_LISTED: Final = 212
MORE_LISTED: Final = 50
LONGEST_AUTHOR: Final = 40
LONGEST_REASON: Final = 400
LINKS: Final = {"unit": ("unit", "村（社区）")}
"""What a link may lead to: trait and name by key."""

_BY_RANK: Final = (Level.UNKNOWN, Level.RED, Level.YELLOW, Level.GREEN)
_CODE_BY_RANK: Final = np.array([level.code for level in _BY_RANK], dtype=np.uint8)

logger = logging.getLogger(__name__)


class WhatIfModel(RunModel):
    """Weights and cut-offs being tried, checked against the run.

    Parameters
    ----------
    run
        The run on view.
    proposals
        Folder that proposals may be written into; ``None`` where none may be written.

    Attributes
    ----------
    shares : tuple of float
        Weight of each dimension in tenths of a percent before rounding; they sum to 1000.
    locked : tuple of str
        Dimensions that keep their weight when another is moved.
    green_from, yellow_from : float
        Cut-offs in points; yellow is below green.
    direction : str
        Which changes of colour are listed, a key of ``DIRECTIONS``.
    listed : int
        How many of them; a move goes back to the first few.
    unit : str
        Code of the unit picked; empty for none.
    author, reason : str
        Who proposes, and why.
    effective_from : datetime.date or None
        Date from which the proposal shall hold; the as-of date of the run at first.

    Raises
    ------
    DataError
        If the run's own figures do not follow from its history, so that nothing tried could be compared.
    """

    shares = traitlets.Tuple()
    locked = traitlets.Tuple()
    green_from = traitlets.Float()
    yellow_from = traitlets.Float()
    direction = traitlets.Enum(tuple(DIRECTIONS), "all")
    listed = traitlets.Int(FIRST_LISTED, min=FIRST_LISTED, max=MOST_LISTED)
    author = traitlets.Unicode("")
    reason = traitlets.Unicode("")
    effective_from = traitlets.Instance(dt.date, allow_none=True)

    def __init__(self, run: Run, *, proposals: Path | None = None) -> None:
        self.proposals = None if proposals is None else proposals.resolve(strict=True)
        self.framework: Framework = run.parameters.framework
        self.cuts: Classification = run.parameters.classification
        self.dimensions = tuple(d.id for d in self.framework.dimensions)
        self._adopted_weights = np.array([d.weight for d in self.framework.dimensions])
        self._start_shares = tuple((WHOLE * self._adopted_weights / self._adopted_weights.sum()).tolist())
        kinds = run.units.set_index("unit_code")["unit_kind"]
        self.losses = dimension_losses(run.indicators, run.history, kinds, self.framework)
        self.adopted: Rescored = rescore(self.losses, self._adopted_weights, self.cuts)
        named = tables.unit_table(run)
        self._names, self._townships = list(named["unit_name"]), list(named["township_name"])
        self._require_same(run.index)
        super().__init__(run, **self._start(run))

    def _start(self, run: Run) -> dict[str, Any]:
        return {
            "shares": self._start_shares,
            "locked": (),
            "green_from": self.cuts.green_from,
            "yellow_from": self.cuts.yellow_from,
            "direction": "all",
            "listed": FIRST_LISTED,
            "unit": "",
            "author": "",
            "reason": "",
            "effective_from": run.as_of,
        }

    def _require_same(self, index: pd.DataFrame) -> None:
        told = index.set_index("unit_code").reindex(self.losses.units)
        found = self.adopted.to_frame()
        if not (
            np.allclose(found["index"], told["index"], rtol=0, atol=1e-9)
            and (found["level"] == told["level"]).all()
            and (found["to_verify"] == told["to_verify"]).all()
        ):
            raise DataError(
                "评估结果与其历史数据不一致，不能试算",
                [
                    Fault(
                        "index.parquet",
                        "与 history.parquet、indicators.parquet 推算的结果不同",
                        "同一次 huanjie run 写出的文件",
                        "用当前版本重新运行 huanjie run",
                    )
                ],
            )

    def reset(self) -> None:
        """Go back to how the screen opens."""
        self.set_state(self._start(self.run))

    def restore(self) -> None:
        """Go back to the adopted weights and cut-offs; what was typed and picked stays."""
        start = self._start(self.run)
        self.set_state({name: start[name] for name in ("shares", "locked", *CUTS)})

    def move(self, dial: str, value: int) -> None:
        """Set a weight (tenths of a percent) or a cut-off (tenths of a point).

        The weights that are not locked give or take in proportion. A weight goes as far as the locked ones
        leave room; a cut-off stops a tenth of a point from the other one.

        Raises
        ------
        KeyError
            If there is no such dial.
        ValueError
            If the dial may not move or the value is not in 0-1000.
        """
        if not 0 <= value <= WHOLE:
            raise ValueError(f"value must be in 0-{WHOLE}, found {value}")
        self.listed = FIRST_LISTED
        if dial == "green_from":
            above = range(value, WHOLE + 1)
            self.green_from = next(v / 10 for v in above if v / 10 > self.yellow_from)
        elif dial == "yellow_from":
            self.yellow_from = next(v / 10 for v in range(value, -1, -1) if v / 10 < self.green_from)
        elif dial not in self.dimensions:
            raise KeyError(dial)
        elif self.fixed(dial):
            raise ValueError(f"{dial} may not move")
        else:
            self._weigh(self.dimensions.index(dial), value)

    def _weigh(self, at: int, value: int) -> None:
        """Set a weight; a locked one is held at what is shown of it."""
        tenths = self.tenths
        held = [i for i, d in enumerate(self.dimensions) if i != at and self._held(d)]
        room = WHOLE - sum(tenths[i] for i in held)
        free = sum(share for i, share in enumerate(self.shares) if i not in held)
        scale = room / free if free else 0.0
        shares = [tenths[i] if i in held else share * scale for i, share in enumerate(self.shares)]
        self.shares = rebalance(shares, at, value, held=held, spare=self._start_shares)

    def lock(self, dimension: str) -> None:
        """Lock the weight of a dimension, or free it.

        Raises
        ------
        KeyError
            If there is no such dimension.
        """
        if dimension not in self.dimensions:
            raise KeyError(dimension)
        others = tuple(d for d in self.locked if d != dimension)
        self.locked = others if dimension in self.locked else (*others, dimension)

    def _held(self, dimension: str) -> bool:
        return dimension in self.locked or not self._adopted_weights[self.dimensions.index(dimension)]

    def fixed(self, dial: str) -> bool:
        """Return whether a dial may not move: locked, or all others are; a weight of 0 has no history."""
        if dial in CUTS:
            return False
        others = [d for d in self.dimensions if d != dial and not self._held(d)]
        return self._held(dial) or not others

    @property
    def tenths(self) -> tuple[int, ...]:
        """Weights in tenths of a percent, as shown and as scored; they sum to 1000 exactly."""
        return apportion(self.shares, WHOLE)

    @property
    def weights(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Weights that are scored: those shown, or the adopted ones where these are what is shown."""
        if self.tenths == apportion(self._start_shares, WHOLE):
            return self._adopted_weights
        return np.array(self.tenths) / WHOLE

    @property
    def classification(self) -> Classification:
        """Cut-offs being tried."""
        return self.cuts.model_copy(update={"green_from": self.green_from, "yellow_from": self.yellow_from})

    @property
    def is_adopted(self) -> bool:
        """Whether weights and cut-offs are the adopted ones."""
        return self.classification == self.cuts and self.weights is self._adopted_weights

    @property
    def changes(self) -> ColourChanges:
        """Adopted against tried, for all units."""
        key = (self.tenths, self.green_from, self.yellow_from)
        if self._cached is None or self._cached[0] != key:
            proposed = rescore(self.losses, self.weights, self.classification)
            self._cached = key, colour_changes(self.adopted, proposed)
        return self._cached[1]

    _cached: tuple[object, ColourChanges] | None = None

    def level_bytes(self) -> bytes:
        """Return one byte per unit for the map: colour, and 待核实 where missing data leave it open."""
        scores = self.changes.proposed
        marks = np.where(scores.to_verify, np.uint8(tables.VERIFY_CODE), np.uint8(0))
        return (_CODE_BY_RANK[scores.rank] | marks).tobytes()

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Levels that any unit can have, the most urgent first."""
        found = (Level.RED, Level.YELLOW, Level.GREEN)
        return found if self.losses.scored.all() else (*found, Level.UNKNOWN)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return units by level, 待核实 and changed colour, each with its change from the adopted state."""
        changes = self.changes
        before, after = (np.bincount(s.rank, minlength=4) for s in (changes.adopted, changes.proposed))
        found = {
            level.value: (int(after[rank]), int(after[rank] - before[rank]))
            for rank, level in enumerate(_BY_RANK)
        }
        open_now = int(changes.proposed.to_verify.sum())
        changed = int(changes.changed.sum())
        return {
            **{level.value: found[level.value] for level in self.levels},
            "to_verify": (open_now, open_now - int(changes.adopted.to_verify.sum())),
            "changed": (changed, changed),
        }

    def totals(self) -> dict[str, int]:
        """Return how many units change colour in each direction."""
        step = self.changes.proposed.rank - self.changes.adopted.rank
        return {
            "all": int((step != 0).sum()),
            "worse": int((step < 0).sum()),
            "better": int((step > 0).sum()),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return who changes colour in the chosen direction, at most ``listed`` units.

        Order: worse before better, then the new colour from red to green, the lowest new index, the code.
        """
        changes, proposed = self.changes, self.changes.proposed
        step = proposed.rank - changes.adopted.rank
        wanted = {"all": step != 0, "worse": step < 0, "better": step > 0}[self.direction]
        found = np.flatnonzero(wanted)
        order = np.lexsort((proposed.index[found], proposed.rank[found], step[found] > 0))
        return [self._row(int(i)) for i in found[order][: self.listed]]

    def _row(self, i: int) -> dict[str, Any]:
        code, changes = self._codes[i], self.changes
        before, after = changes.texts(code)
        return {
            "unit_code": code,
            "unit_name": self._names[i],
            "township_name": self._townships[i],
            "level": _BY_RANK[changes.adopted.rank[i]].value,
            "proposed_level": _BY_RANK[changes.proposed.rank[i]].value,
            "to_verify": bool(changes.proposed.to_verify[i]),
            "before": before,
            "after": after,
            "reason": changes.reason(code),
        }

    def picked(self) -> dict[str, Any] | None:
        """Return the unit picked with the sentence that explains it; ``None`` for none."""
        if not self.unit:
            return None
        return {**self._row(self.position), "sentence": self.changes.explain(self.unit)}

    def blockers(self) -> tuple[str, ...]:
        """Return, as sentences, what stands against writing the proposal; none when it can be written."""
        if self.proposals is None:
            return (
                "本界面没有写入权限，不能写出方案。要写出方案，请在分析人员自己的电脑上用"
                "“huanjie serve --app what_if --run 评估文件夹 --proposals 方案文件夹”打开。",
            )
        found = []
        if self.is_adopted:
            found.append("权重和分界线没有改动，请先移动滑块。")
        for label, text, most in (
            ("提出人", self._author, LONGEST_AUTHOR),
            ("调整理由", self._reason, LONGEST_REASON),
        ):
            if not text:
                found.append(f"请填写{label}。")
            elif len(text) > most or not text.isprintable():
                found.append(f"{label}至多{most}个字，不能含控制字符；请修改。")
        if self.effective_from is None:
            found.append("请选择生效日期。")
        elif self.effective_from < self.framework.effective_from:
            found.append(f"生效日期不能早于现行参数的生效日期{date_text(self.framework.effective_from)}。")
        if not found and self.target.exists():
            found.append(f"同样的方案已经写出，见“{self.target.name}”。")
        return tuple(found)

    @property
    def _author(self) -> str:
        return " ".join(self.author.split())

    @property
    def _reason(self) -> str:
        return " ".join(self.reason.split())

    @property
    def target(self) -> Path:
        """Folder that the proposal is written to: a name made here, right inside the folder allowed.

        Raises
        ------
        UsageError
            If there is no folder allowed or no date.
        """
        if self.proposals is None or self.effective_from is None:
            raise UsageError(
                "不能写出方案", [Fault("方案文件夹", "没有指定", "方案文件夹", "用 --proposals 指定")]
            )
        content = {
            "parameters": self.run.parameters.digest,
            "weights": self.tenths,
            "cuts": [self.yellow_from, self.green_from],
            "author": self._author,
            "reason": self._reason,
            "effective_from": self.effective_from.isoformat(),
        }
        digest = hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
        return self.proposals / f"proposal-{self.effective_from:%Y%m%d}-{digest[:12]}"

    def propose(self) -> Path:
        """Write the proposal as a pack folder and return it.

        Raises
        ------
        UsageError
            If anything stands against it (:meth:`blockers`), or the folder allowed is no longer there.
        """
        blockers = self.blockers()
        if blockers:
            raise UsageError("方案没有写出：" + "".join(blockers))
        target, date = self.target, self.effective_from
        if date is None or target.resolve().parent != self.proposals or not self.proposals.is_dir():
            raise UsageError(
                "方案没有写出",
                [
                    Fault(
                        "方案文件夹",
                        target.name,
                        "启动时用 --proposals 指定的文件夹",
                        "检查该文件夹后重新启动",
                    )
                ],
            )
        from huanjie_lib.store.packs import write_pack  # a kernel that may not write need not load it

        dimensions = tuple(
            d.model_copy(update={"weight": float(w)})
            for d, w in zip(self.framework.dimensions, self.weights, strict=True)
        )
        return write_pack(
            self.run.parameters,
            target,
            framework=self.framework.model_copy(update={"dimensions": dimensions}),
            author=self._author,
            reason=self._reason,
            effective_from=date,
            classification=None if self.classification == self.cuts else self.classification,
        )

    @traitlets.validate("shares")
    def _check_shares(self, proposal: dict[str, Any]) -> tuple[float, ...]:
        shares = proposal["value"]
        if len(shares) != len(self.dimensions) or not all(_is_number(s) and s >= 0 for s in shares):
            raise traitlets.TraitError("shares must be one number of at least 0 per dimension")
        if abs(sum(shares) - WHOLE) > 1e-6:
            raise traitlets.TraitError(f"shares must sum to {WHOLE}")
        if any(s and not w for s, w in zip(shares, self._adopted_weights, strict=True)):
            raise traitlets.TraitError("a dimension without weight has no history to weigh")
        return tuple(float(s) for s in shares)

    @traitlets.validate("locked")
    def _check_locked(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        locked = proposal["value"]
        if len(set(locked)) != len(locked) or not set(locked) <= set(self.dimensions):
            raise traitlets.TraitError("locked must be dimensions, each once")
        return tuple(locked)

    @traitlets.validate(*CUTS)
    def _check_cuts(self, proposal: dict[str, Any]) -> float:
        name, value = proposal["trait"].name, proposal["value"]
        green, yellow = (value, self.yellow_from) if name == "green_from" else (self.green_from, value)
        if not (np.isfinite(value) and 0 <= yellow < green <= 100):
            raise traitlets.TraitError("cut-offs must be 0 ≤ yellow_from < green_from ≤ 100")
        return float(value)


class WhatIfView:
    """The screen: sliders, figures, map, who changes colour, and the form of the proposal.

    Attributes
    ----------
    widget
        What a notebook displays.
    map
        The live map.
    """

    def __init__(self, model: WhatIfModel, site: Site | None = None) -> None:
        self.model, self.site = model, site or Site()
        lines = tables.hover_lines(model.run)
        self.map = city_map(
            model.run,
            title="试算三色图",
            levels=model.level_bytes(),
            names=[unit[0] for unit in lines],
            hovers=[(f"现行：{unit[1]}",) for unit in lines],
        )
        self._drawn: object = None
        self._head = Panel("head", html=self._head_html())
        self._dials = Dials(html=self._dials_html(), figures=self._figures())
        self._changes = Panel("changes", label="变色清单")
        self._said = Panel("said")
        self._author = ipywidgets.Text(description="提出人")
        self._reason = ipywidgets.Textarea(description="调整理由", rows=2)
        self._date = ipywidgets.DatePicker(description="生效日期", value=model.effective_from)
        self._button = ipywidgets.Button(description="写出方案")
        fields = [] if model.proposals is None else [self._author, self._date, self._reason]
        form = ipywidgets.Box([*fields, self._button, self._said])
        form.add_class("hj-proposal")
        self._draw()
        children = [self._head, self._dials, self.map, self._changes, form]
        self.linked = Linked(
            model, LINKS, check=wrong_date(model.run.as_of), follow=lambda _: self._show_picked()
        )
        self.widget = Screen(
            [*children, self.linked.notice, self.linked.address],
            preview=self._preview_html(),
            css=stylesheet("what_if.css"),
        )
        self.widget.add_class("hj-screen")
        self.widget.add_class("hj-what-if")
        self._dials.on_action(self._turn)
        self._changes.on_action(self._choose)
        self.map.observe(self._take_from_map, ["selected"])
        for widget, name in (
            (self._author, "author"),
            (self._reason, "reason"),
            (self._date, "effective_from"),
        ):
            widget.observe(self._typing(name), ["value"])
        self._button.on_click(self._propose)

    def _turn(self, action: str, value: str) -> None:
        """Do what a slider, a lock or a button beside them asks, and answer, whatever it was."""
        with guarded(self._changes):
            try:
                if action == "move":
                    self.model.move(*parse_move(value))
                elif action == "lock":
                    self.model.lock(value)
                elif action == "restore":
                    self.model.restore()
                elif action == "rest":
                    self._draw()
            except (KeyError, ValueError, traitlets.TraitError):
                logger.warning("a message of the page was refused: %s", action)
            self.map.set_levels(self.model.level_bytes())
        self._dials.answer(self._figures())

    def _choose(self, action: str, value: str) -> None:
        """Do what a button of the list asks; what the model refuses has no effect."""
        with guarded(self._changes):
            try:
                if action in {"direction", "unit"}:
                    self.model.set_state({action: value})
                elif action == "more":
                    self.model.listed = min(self.model.listed + MORE_LISTED, MOST_LISTED)
            except traitlets.TraitError:
                logger.warning("a message of the page was refused: %s", action)
                return
            self._show_picked()

    def _show_picked(self) -> None:
        self.map.selected = self.model.position
        self._draw()

    def _take_from_map(self, change: dict[str, Any]) -> None:
        with guarded(self._changes):
            code = self.model.code_at(change["new"])
            if code != self.model.unit:
                self.model.unit = code
                self._draw()

    def _typing(self, name: str) -> Callable[[dict[str, Any]], None]:
        def take(change: dict[str, Any]) -> None:
            with guarded(self._changes):
                self.model.set_state({name: change["new"]})
                self._draw_blockers()

        return take

    def _propose(self, _: object) -> None:
        """Write the proposal; the button may have been pressed however the page shows it."""
        try:
            written = self.model.propose()
        except Exception as error:  # noqa: BLE001 - the last line before a traceback in a leader's page
            self._said.html = str(alert(error))
            return
        self._draw_blockers(
            f"方案已写出：{written.name}，在启动时指定的方案文件夹里。会商同意后，用 huanjie run --pack "
            "加上该文件夹重新计算，才成为现行参数。"
        )

    def _figures(self) -> dict[str, Any]:
        model = self.model
        dials = [*model.dimensions, *CUTS]
        return {
            "dials": [*model.tenths, *(round(10 * getattr(model, name), 3) for name in CUTS)],
            "fixed": [int(model.fixed(dial)) for dial in dials],
            "locked": [int(d in model.locked) for d in model.dimensions],
            "counts": list(model.counts().values()),
            "rested": self._drawn is None or self._drawn is model.changes,
        }

    def _draw(self) -> None:
        """Draw what does not follow every move: the list, and what stands against the proposal."""
        self._changes.html = str(self._changes_html())
        self._drawn = self.model.changes
        self._draw_blockers()

    def _draw_blockers(self, done: str = "") -> None:
        blockers = self.model.blockers()
        self._button.disabled = bool(blockers)
        self._said.html = str(render("blockers.html.j2", done=done, blockers=() if done else blockers))

    def _head_html(self) -> Markup:
        return head(
            "what_if",
            title=TITLE,
            as_of=self.model.run.as_of,
            site=self.site,
            notes=("只作测算，不改变已公布的结果", f"现行参数 {self.model.run.parameters.version}"),
        )

    def _dials_html(self) -> Markup:
        model = self.model
        values = dict(zip((*model.dimensions, *CUTS), self._figures()["dials"], strict=True))
        return render(
            "dials.html.j2",
            levels=model.levels,
            counts=model.counts(),
            units=len(model.run.units),
            dimensions=model.framework.dimensions,
            cuts=CUTS,
            dials=values,
            basis=self._basis(),
            count=count_text,
        )

    def _basis(self) -> str:
        cuts = self.model.cuts
        held = ""
        if cuts.improve_margin:
            held += f"转好须超过分界线{cuts.improve_margin:g}分；"
        if cuts.worsen_margin:
            held += f"转差须低于分界线{cuts.worsen_margin:g}分；"
        return (
            "口径：现行与试算同一算法，历次快照都按所设权重和分界线重算，与采用后重新运行的结果一致；"
            f"{held}待核实按所设权重重新判断；颜色有争议须另行测算，这里不标。"
        )

    def _changes_html(self) -> Markup:
        model = self.model
        totals, rows = model.totals(), model.rows()
        nobody = "与现行相比，没有村（社区）改变颜色。"
        if model.is_adopted:
            nobody += "移动左侧的滑块，就能看到谁会变色、为什么。"
        return render(
            "changes.html.j2",
            picked=model.picked(),
            rows=rows,
            total=totals[model.direction],
            totals=totals,
            directions=DIRECTIONS,
            direction=model.direction,
            more=len(rows) < min(totals[model.direction], MOST_LISTED),
            nobody=nobody if not totals["all"] else f"没有{DIRECTIONS[model.direction]}的村（社区）。",
            Level=Level,
            count=count_text,
        )

    def _preview_html(self) -> Markup:
        return render(
            "what_if_preview.html.j2",
            head=Markup(self._head.html),
            dials=Markup(self._dials.html),
            changes=Markup(self._changes.html),
        )


def open_what_if(run: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the what-if screen of a run folder, ready to be displayed.

    Parameters
    ----------
    run
        The run folder; by default the one named by the environment variable ``HUANJIE_RUN``. Proposals may be
        written into the folder named by ``HUANJIE_PROPOSALS``, and nowhere when it is not set.

    Returns
    -------
    ipywidgets.DOMWidget
        The screen, or an alert with the remedy where the run cannot be shown. Nothing is raised.
    """
    return open_screen(
        lambda found: (
            WhatIfView(
                WhatIfModel(found, proposals=_proposals_from_environment()), Site.from_environment()
            ).widget
        ),
        run,
    )


def _proposals_from_environment() -> Path | None:
    folder = os.environ.get(PROPOSALS_VARIABLE, "")
    if folder and not Path(folder).is_dir():
        raise UsageError(
            "方案文件夹不能使用",
            [
                Fault(
                    f"环境变量 {PROPOSALS_VARIABLE}",
                    folder,
                    "已有的文件夹",
                    "用 huanjie serve --proposals 重新打开",
                )
            ],
        )
    return Path(folder) if folder else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
