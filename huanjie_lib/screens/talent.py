"""人才匹配 on a screen: what it knows, what it shows, and its door.

:class:`TalentModel` is the state: plain values over a talent run and, where there is one, the ledger of
decisions, opened for reading only. :class:`TalentView` draws it. A decision goes from the page to the server,
which knows who is logged in; the page then tells the kernel to look again. People have no colour of risk and
stand under the names that the role may see; a pseudonym never stands in an address.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ipywidgets
import pandas as pd
import traitlets
from markupsafe import Markup

from huanjie_lib.casework.events import Actor, Head
from huanjie_lib.screens.cuts import ACTOR_VARIABLE, NAMES_VARIABLE, STORE_VARIABLE, TALENT_VARIABLE
from huanjie_lib.screens.drawer import DrawerView
from huanjie_lib.screens.links import AS_OF
from huanjie_lib.screens.page import StateModel, actor_of, from_environment, guarded, head, shown
from huanjie_lib.screens.panel import STATIC, Panel, TaskPanel, render
from huanjie_lib.screens.sheets import Sheet
from huanjie_lib.screens.site import Site
from huanjie_lib.screens.talent_names import FILES, XLSX, Names
from huanjie_lib.screens.talent_sheets import quota_sheet, steps_sheet, structure_sheet
from huanjie_lib.store.decisions import DECIDERS, accepted, named_in, renewed
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.store.ledger_cut import open_cut
from huanjie_lib.store.talent_folder import TalentRun, read_talent
from huanjie_lib.talent.cultivation import StepState
from huanjie_lib.views import talent, talent_charts
from huanjie_lib.views.words import count_text, date_text, local_time, number_text
from huanjie_lib.vocabulary import DecisionChoice, PostKind, UnitKind, share_text

__all__ = ["TalentDesk", "TalentModel", "TalentView", "open_talent"]

TITLE: Final = "人才匹配"
TABS: Final = {
    "posts": "岗位人选",
    "teams": "班子结构",
    "races": "准岗赛马",
    "steps": "培养计划",
    "reserve": "后备储备",
    "proof": "公平凭证",
}
PAGE: Final = 60
MOST_LISTED: Final = 3000
LONGEST_QUERY: Final = 60
COMPARED: Final = 2
TOLD: Final = 6
"""Changes of standing that a file tells."""
LINKS: Final = {
    "unit": ("only", "村（社区）"),
    "township": ("township", "镇街"),
    "post": ("place", "岗位"),
    "tab": ("tab", "栏目"),
}
"""What a link may lead to: trait and name by key; never a person, whose pseudonym stands in no address."""
REMEDY: Final = "用 huanjie serve --app talent 打开，写明 --talent、--account、--office、--role"
NO_STORE: Final = "启动服务时没有给出台账，不能登记决定。"
NO_LOG: Final = "启动服务时没有给出台账，不能查看原文：查看须先记入查阅日志。"
NO_KEY: Final = "启动服务时没有给出密钥，不能查看原文。"
NOT_DECIDING: Final = "本账号只能查看，不能登记决定。"
WORDS: Final = {
    "advice": talent.ADVICE,
    "count": count_text,
    "date": date_text,
    "number": number_text,
    "points": talent.points_text,
    "share": share_text,
    "short": talent.short_ref,
}


class TalentModel(StateModel):
    """What the viewer has chosen, checked against a talent run.

    Parameters
    ----------
    run
        The talent run on view.
    actor
        Account that the server was started for.
    names
        What people are called.
    ledger
        The ledger, open for reading; ``None`` where decisions are not recorded.

    Attributes
    ----------
    tab : str
        A key of ``TABS``.
    township, kind, query : str
        Filters: township, kind of post and name of the unit; empty for all.
    only : str
        Code of the one unit that is looked at; empty for all.
    lacking : bool
        Only what lacks something: posts without enough people, committees that miss a target or have empty
        seats, units short of reserve, steps that are late.
    most : int
        How many posts or units are listed.
    place : str
        The post chosen, ``unit_code/post``; empty for the first listed.
    unit : str
        Unit whose committee is chosen; empty for the first listed.
    group : str
        考察组 chosen; empty for the first.
    person : str
        Person whose file is open; empty for none.
    marked : tuple of str
        People to compare; two of them stand side by side.
    """

    tab = traitlets.Enum(tuple(TABS), "posts")
    township = traitlets.Unicode("")
    kind = traitlets.Enum(("", *PostKind.labels()), "")
    query = traitlets.Unicode("")
    only = traitlets.Unicode("")
    lacking = traitlets.Bool(False)
    most = traitlets.Int(PAGE, min=PAGE, max=MOST_LISTED)
    place = traitlets.Unicode("")
    unit = traitlets.Unicode("")
    group = traitlets.Unicode("")
    person = traitlets.Unicode("")
    marked = traitlets.Tuple(())

    def __init__(self, run: TalentRun, *, actor: Actor, names: Names, ledger: Ledger | None = None) -> None:
        self.run, self.actor, self.names = run, actor, names
        self._ledger = ledger
        self._head: Head | None = None
        self.decided: dict[str, str] = {}
        self._accepted: dict[str, list[tuple[str, str]]] = {}
        posts = talent.post_list(run)
        self.posts = posts[[actor.covers(code) for code in posts["unit_code"]]].reset_index(drop=True)
        self._keys = frozenset(self.posts["key"])
        units = run.table("units")
        self.units = units[[actor.covers(code) for code in units["unit_code"]]].reset_index(drop=True)
        self.townships = dict(zip(self.units["township_code"], self.units["township_name"], strict=True))
        self.unit_names = dict(zip(self.units["unit_code"], self.units["unit_name"], strict=True))
        self.look()
        super().__init__()

    def look(self) -> bool:
        """Look whether decisions have been recorded since; return whether there were."""
        if self._ledger is None:
            return False
        head, _ = self._ledger.mark()
        grown = self._head is None or head.decisions != self._head.decisions
        if grown:
            made = self._ledger.decisions()
            self.decided = dict(zip(made["unit_code"] + "/" + made["post"], made["choice"], strict=True))
            stands = accepted(renewed(made, self.names.current(named_in(made))))
            places = zip(stands["unit_code"], stands["post"], strict=True)
            self._accepted = {}
            for ref, place in zip(stands["person_ref"], places, strict=True):
                self._accepted.setdefault(ref, []).append(place)
        self._head = head
        return grown

    def reset(self) -> None:
        """Go back to how the screen opens."""
        self.set_state({name: trait.default() for name, trait in self.traits().items()})

    # ------------------------------------------------------------ posts

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Figures of the head."""
        return talent.summary(self.run, self.actor.scope) | {
            "posts": len(self.posts),
            "lacking_posts": int((self.posts["lacking"] > 0).sum()),
            "lacking_people": int(self.posts["lacking"].sum()),
        }

    def chosen_posts(self) -> pd.DataFrame:
        """Return the posts that the filters let through, those that lack most people first."""
        frame = self._filtered(self.posts)
        if self.kind:
            frame = frame[frame["post"] == self.kind]
        return frame[frame["lacking"] > 0] if self.lacking else frame

    def _filtered(self, frame: pd.DataFrame) -> pd.DataFrame:
        if self.township:
            frame = frame[frame["township_code"] == self.township]
        if self.only:
            frame = frame[frame["unit_code"] == self.only]
        if query := self.query.strip():
            named = frame["unit_name"].fillna("").str.contains(query, regex=False)
            frame = frame[named | frame["unit_code"].str.startswith(query)]
        return frame

    def post(self) -> dict[Any, Any] | None:
        """Return the post that is chosen, or the first that is listed; ``None`` where there is none."""
        frame = self.posts[self.posts["key"] == self.place] if self.place else self.chosen_posts().head(1)
        return frame.to_dict("records")[0] if len(frame) else None

    def candidates(self) -> tuple[talent.Candidate, ...]:
        """Return the shortlist of the post that is chosen."""
        post = self.post()
        return () if post is None else talent.candidates(self.run, post["unit_code"], post["post"])

    def listed(self) -> list[dict[str, Any]]:
        """Return whom the city-wide lists have for the post that is chosen."""
        post = self.post()
        return [] if post is None else talent.listed(self.run, post["unit_code"], post["post"])

    def _decided(self, ledger: Ledger, *where: str) -> pd.DataFrame:
        """Return decisions under the pseudonyms that people have now."""
        made = ledger.decisions(*where)
        return renewed(made, self.names.current(named_in(made)))

    def decisions(self) -> list[dict[str, Any]]:
        """Return the decisions on the post that is chosen, the last first."""
        post = self.post()
        if self._ledger is None or post is None:
            return []
        frame = self._decided(self._ledger, post["unit_code"], post["post"])
        called = self.names.of([*frame["person_ref"], *frame.loc[frame["instead_ref"] != "", "instead_ref"]])
        labels = DecisionChoice.labels()
        return [
            {
                "number": int(row["number"]),
                "choice": row["choice"],
                "label": labels[row["choice"]],
                "name": called[row["person_ref"]],
                "person_ref": row["person_ref"],
                "instead": called.get(row["instead_ref"], ""),
                "reason": row["reason"],
                "departs": bool(row["departs"]),
                "office": row["office"],
                "account": row["account"],
                "recorded": local_time(row["recorded_at"]),
                "other_run": row["talent_run"] != self.digest,
            }
            for row in frame.iloc[::-1].to_dict("records")
        ]

    def held(self, person_ref: str) -> list[str]:
        """Return for which posts but the one that is chosen a person stands accepted, in words."""
        post = self.post()
        here = ("", "") if post is None else (post["unit_code"], post["post"])
        found = [place for place in self._accepted.get(person_ref, ()) if place != here]
        if not found:
            return []
        labels = PostKind.labels()
        return [
            f"{self.unit_names.get(code, code) if self.actor.covers(code) else '其他地方的'}{labels[kind]}"
            for code, kind in found
        ]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest of the run; empty for a run that was not read from a folder."""
        return self.run.digest

    # ------------------------------------------------------------ people

    def mark(self, person_ref: str) -> None:
        """Mark a person for comparison, or no longer; of three the first gives way.

        Raises
        ------
        traitlets.TraitError
            If there is no such person, or not for this account.
        """
        kept = tuple(ref for ref in self.marked if ref != person_ref)
        if len(kept) == len(self.marked):
            kept = (*kept, person_ref)[-COMPARED:]
        self.marked = kept

    def sees(self, person_ref: str) -> bool:
        """Return whether the account may see a person: at home in its scope, or listed for a post in it."""
        if not self.actor.scope:
            return not self.run.table("people", person_ref=person_ref).empty
        return self.run.concerns(person_ref, self.actor.covers)

    def task(self) -> dict[str, Any]:
        """Return what may be done about the person who is open, as the page draws it; else nothing."""
        post, person = self.post(), self.person
        if not person:
            return {}
        may_name = self._ledger is not None and self.names.masked
        nothing = NO_LOG if self._ledger is None else NO_KEY
        looking = {"person": person, "name": {"may": may_name, "nothing": "" if may_name else nothing}}
        if self.tab != "posts" or post is None:
            return looking
        shortlist = self.candidates()
        refs = [candidate.person_ref for candidate in shortlist]
        refs += [row["person_ref"] for row in self.listed() if row["rank"] is None]
        called = self.names.of([*refs, person])
        may = self._ledger is not None and self.actor.role in DECIDERS
        return {
            **looking,
            "run": self.digest,
            "unit_code": post["unit_code"],
            "post": post["post"],
            "about": f"{post['unit_name']}{PostKind.labels()[post['post']]}：{called[person]}",
            "advised": person in refs,
            "held": self.held(person),
            "others": [
                {
                    "ref": ref,
                    "held": self.held(ref),
                    "name": f"{called[ref]}　{talent.short_ref(ref)}　{_place_text(place, shortlist)}",
                }
                for place, ref in enumerate(refs, start=1)
                if ref != person
            ],
            "choices": [{"value": choice.value, "label": choice.label} for choice in DecisionChoice],
            "expected": len(self.decisions()),
            "may": may,
            "nothing": NO_STORE if self._ledger is None else NOT_DECIDING,
        }

    # ------------------------------------------------------------ committees, races and tables

    def committees(self) -> pd.DataFrame:
        """Return the units that the filters let through, those that miss most targets first."""
        frame = talent.committees(self.run)
        frame = self._filtered(frame[frame["unit_code"].isin(self.units["unit_code"])])
        return frame[(frame["missed"] > 0) | (frame["empty"] > 0)] if self.lacking else frame

    def committee(self) -> dict[Any, Any] | None:
        """Return the unit whose committee is chosen, or the first listed; ``None`` where there is none."""
        frame = self.committees()
        chosen = frame[frame["unit_code"] == self.unit] if self.unit else frame.head(1)
        return chosen.to_dict("records")[0] if len(chosen) else None

    def races(self) -> pd.DataFrame:
        """Return the 考察组 that the filter by township lets through, those with diverging results first."""
        frame = talent.races(self.run)
        if self.actor.scope:
            frame = frame[frame["group_ref"].isin(self._groups)]
        if self.township:
            frame = frame[frame["township"] == self.townships[self.township]]
        return frame.sort_values(["diverging", "group_ref"], ascending=[False, True], ignore_index=True)

    def race(self) -> tuple[dict[Any, Any], pd.DataFrame] | None:
        """Return the 考察组 that is chosen, or the first, and its people; ``None`` where there is none."""
        frame = self.races()
        chosen = frame[frame["group_ref"] == self.group] if self.group else frame.head(1)
        if chosen.empty:
            return None
        found, people = chosen.to_dict("records")[0], talent.race(self.run, chosen["group_ref"].iloc[0])
        if self.actor.scope:
            people = people[people["person_ref"].isin(self._seen)].reset_index(drop=True)
        return found, people

    @cached_property
    def _seen(self) -> frozenset[str]:
        """People whom an account with a scope may see, as :meth:`sees` does."""
        return self.run.people_of(self.actor.scope)

    @cached_property
    def _groups(self) -> frozenset[str]:
        """考察组 with anybody whom an account with a scope may see."""
        frame = self.run.table("races")
        return frozenset(frame.loc[frame["person_ref"].isin(self._seen), "group_ref"])

    def sheets(self) -> list[Sheet]:
        """Return the tables of a tab that is made of tables; none for the others."""
        if self.tab == "steps":
            frame = self._filtered(self._within(talent.plans(self.run)))
            late = frame["state"] == StepState.OVERDUE.value
            return [steps_sheet(frame[late] if self.lacking else frame, self.names.of)]
        if self.tab == "reserve":
            frame = self._filtered(self._within(talent.quota(self.run)))
            found = quota_sheet(frame[frame["gap"] > 0] if self.lacking else frame)
            return [found, structure_sheet(self.run.table("structure"))]
        return []

    def _within(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of units in the scope of the account."""
        if not self.actor.scope:
            return frame
        return frame[frame["unit_code"].fillna("").str.startswith(self.actor.scope)]

    @traitlets.validate("township")
    def _check_township(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self.townships:
            raise traitlets.TraitError("no such township")
        return str(proposal["value"])

    @traitlets.validate("query")
    def _check_query(self, proposal: dict[str, Any]) -> str:
        if len(proposal["value"]) > LONGEST_QUERY:
            raise traitlets.TraitError("query too long")
        return str(proposal["value"])

    @traitlets.validate("place")
    def _check_place(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in self._keys:
            raise traitlets.TraitError("no such post, or not for this account")
        return str(proposal["value"])

    @traitlets.validate("unit", "only")
    def _check_unit(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and proposal["value"] not in set(self.units["unit_code"]):
            raise traitlets.TraitError("no such unit, or not for this account")
        return str(proposal["value"])

    @traitlets.validate("group")
    def _check_group(self, proposal: dict[str, Any]) -> str:
        value = proposal["value"]
        if value and (
            self.run.table("races", group_ref=value).empty or (self.actor.scope and value not in self._groups)
        ):
            raise traitlets.TraitError("no such group, or not for this account")
        return str(proposal["value"])

    @traitlets.validate("person")
    def _check_person(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and not self.sees(proposal["value"]):
            raise traitlets.TraitError("no such person, or not for this account")
        return str(proposal["value"])

    @traitlets.validate("marked")
    def _check_marked(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        refs = tuple(proposal["value"])
        if len(refs) > COMPARED or len(set(refs)) < len(refs):
            raise traitlets.TraitError("two people are compared")
        if not all(isinstance(ref, str) and self.sees(ref) for ref in refs):
            raise traitlets.TraitError("no such person, or not for this account")
        return refs


class TalentDesk(TaskPanel):
    """What may be decided on the person who is open for a post; see ``js/src/talent.js``."""

    _esm = STATIC / "talent.js"

    def __init__(self) -> None:
        super().__init__("desk")


class TalentView(DrawerView):
    """The screen: figures, tabs and filters, what the tab shows, and the person or the two that are open.

    Attributes
    ----------
    widget
        What a notebook displays.
    """

    def __init__(self, model: TalentModel, site: Site | None = None) -> None:
        self.model, self.site = model, site or Site()
        self._person = Panel("case", label="人选")
        self._desk = TalentDesk()
        self._file = Panel("history", label="人选资料")
        super().__init__(
            model,
            as_of=model.run.as_of,
            links=LINKS,
            work="人才匹配内容",
            drawer=[self._person, self._desk, self._file],
            preview="talent_preview.html.j2",
            css=["casework.css", "talent.css"],
        )
        shows = [
            "tab",
            "township",
            "kind",
            "query",
            "only",
            "lacking",
            "most",
            "place",
            "unit",
            "group",
            "marked",
        ]
        model.observe(self._draw_work, shows)
        model.observe(self._draw_tiles, ["tab", "lacking"])
        model.observe(self._draw_filters, ["tab", "township", "kind", "only", "lacking"])
        model.observe(self._draw_drawer, ["tab", "place", "person", "marked"])

    def _act(self, action: str, value: str) -> None:
        """Do what a control asks; what the model refuses has no effect."""
        model = self.model
        closed = {"person": "", "marked": ()}
        again = {"most": PAGE, "place": "", "unit": "", "group": "", **closed}
        actions: dict[str, Callable[[str], object]] = {
            "tab": lambda v: model.set_state({"tab": v, **closed}),
            "township": lambda v: model.set_state({"township": v, **again}),
            "kind": lambda v: model.set_state({"kind": v, **again}),
            "search": lambda v: model.set_state({"query": v, **again}),
            "only-unit": lambda v: model.set_state({"only": v, **again}),
            "lacking": lambda _: model.set_state({"lacking": not model.lacking, **again}),
            "only": lambda v: model.set_state({"tab": v, "lacking": True, **again}),
            "more": lambda _: model.set_state({"most": min(model.most + PAGE, MOST_LISTED)}),
            "place": lambda v: model.set_state({"place": v, **closed}),
            "unit": lambda v: model.set_state({"unit": v, **closed}),
            "group": lambda v: model.set_state({"group": v, **closed}),
            "person": lambda v: model.set_state({"person": v}),
            "mark": model.mark,
            "close": lambda _: model.set_state({"person": ""} if model.person else {"marked": ()}),
            "look": lambda _: self.refresh(),
            "written": lambda _: self.refresh(),
            "plan": lambda _: self._save("plan"),
            "roster": lambda _: self._save("roster"),
        }
        with guarded(self._person if model.person else self._work):
            self._attempt(actions, action, value)

    def refresh(self) -> None:
        """Look whether somebody has decided, and draw anew what follows from it."""
        if self.model.look():
            self._draw_work(None)
            self._draw_drawer(None)

    def _save(self, file: str) -> None:
        """Have the page ask the server for a file: it makes it, and logs that it did."""
        name = f"{FILES[file]}-{self.model.run.as_of:%Y%m%d}.xlsx"
        self._desk.send({"file": file, "name": name, "media_type": XLSX})

    # ------------------------------------------------------------ drawing

    def _draw_drawer(self, _: object) -> None:
        model = self.model
        compared = len(model.marked) == COMPARED and not model.person
        is_open = bool(model.person) or compared
        self._desk.show(model.task() if model.person else {})  # first: whoever sees a decision may answer it
        if model.person:
            self._person.html, self._file.html = map(str, self._person_html(model.person))
        else:
            self._person.html = str(self._comparison_html()) if compared else ""
            self._file.html = ""
        (self._drawer.add_class if compared else self._drawer.remove_class)("hj-broad")
        (self._drawer.add_class if is_open else self._drawer.remove_class)("hj-open")

    def _head_html(self) -> Markup:
        model = self.model
        return head(
            "talent",
            title=TITLE,
            as_of=model.run.as_of,
            site=self.site,
            notes=("姓名已掩码，代号只显示末4位" if model.names.masked else "没有密钥，人员只显示代号",),
            actor=model.actor,
            advice=talent.ADVICE,
        )

    def _tiles_html(self) -> Markup:
        model = self.model
        proof = talent.proof(model.run)
        return render(
            "talent_tiles.html.j2",
            figures=model.figures,
            proof=proof,
            lacking=model.lacking,
            tab=model.tab,
            **WORDS,
        )

    def _filters_html(self) -> Markup:
        model = self.model
        only = {"posts": "只看缺人", "teams": "只看未达标或缺人", "steps": "只看逾期", "reserve": "只看不足"}
        return render(
            "talent_filters.html.j2",
            model=model,
            tabs=TABS,
            only=only.get(model.tab, ""),
            unit_name=model.unit_names.get(model.only, ""),
            townships={"": "全部", **model.townships},
            kinds={"": "全部", **PostKind.labels()},
        )

    def _work_html(self) -> Markup:
        draw = {
            "posts": self._posts_html,
            "teams": self._teams_html,
            "races": self._races_html,
            "proof": self._proof_html,
        }
        return draw.get(self.model.tab, self._sheets_html)()

    def _posts_html(self) -> Markup:
        model = self.model
        found = model.chosen_posts()
        post, shortlist, listed = model.post(), model.candidates(), model.listed()
        called = model.names.of(
            [*(candidate.person_ref for candidate in shortlist), *(row["person_ref"] for row in listed)]
        )
        return render(
            "talent_posts.html.j2",
            posts=found.head(model.most).to_dict("records"),
            total=len(found),
            more=len(found) > model.most,
            post=post,
            gap="" if post is None else talent.gap_sentence(post),
            asked=[] if post is None else talent.asked(model.run, post["unit_code"], post["post"]),
            shortlist=[
                {
                    "who": candidate,
                    "name": called[candidate.person_ref],
                    "held": model.held(candidate.person_ref),
                    "interval": Markup(
                        talent_charts.interval_svg(
                            [(candidate.low, candidate.fit, candidate.high)], said=_interval_text(candidate)
                        )
                    ),
                }
                for candidate in shortlist
            ],
            listed=[{**row, "name": called[row["person_ref"]]} for row in listed],
            decisions=model.decisions(),
            decided=model.decided,
            ways=[] if post is None else self._ways(post["unit_code"]),
            choices=DecisionChoice.labels(),
            marked=model.marked,
            labels=PostKind.labels(),
            kinds=UnitKind.labels(),
            **WORDS,
        )

    def _ways(self, unit_code: str) -> list[dict[str, str]]:
        """Return the links from a unit to what the other screens have of it."""
        place = {"unit": unit_code, AS_OF: self.model.run.as_of.isoformat()}
        ways = {"选情档案": self.site.to("overview", **place), "整改案件": self.site.to("casework", **place)}
        return [{"label": label, "address": address} for label, address in ways.items() if address]

    def _teams_html(self) -> Markup:
        model = self.model
        units, unit = model.committees(), model.committee()
        found = None if unit is None else talent.members(model.run, unit["unit_code"])
        called = {} if found is None else model.names.of(found["person_ref"])
        return render(
            "talent_teams.html.j2",
            units=units.head(model.most).to_dict("records"),
            total=len(units),
            more=len(units) > model.most,
            unit=unit,
            members=[] if found is None else found.to_dict("records"),
            called=called,
            checks=[] if unit is None else talent.checks(model.run, unit["unit_code"]),
            costs=[] if unit is None else talent.rule_costs(model.run, unit["unit_code"]),
            certainty=talent.certainty(model.run),
            sentence=talent.structure_sentence(model.run),
            all_of_them="所辖合计" if model.run.is_part else "全市合计",
            **WORDS,
        )

    def _races_html(self) -> Markup:
        model = self.model
        groups, found = model.races(), model.race()
        people = [] if found is None else found[1].to_dict("records")
        called = model.names.of(row["person_ref"] for row in people)
        for row in people:
            said = f"{called[row['person_ref']]}{row['fused']:.1f}分，{row['low']:.1f}至{row['high']:.1f}分"
            row["interval"] = Markup(
                talent_charts.interval_svg([(row["low"], row["fused"], row["high"])], said=said)
            )
        return render(
            "talent_races.html.j2",
            groups=groups.to_dict("records"),
            group=None if found is None else found[0],
            people=people,
            called=called,
            **WORDS,
        )

    def _proof_html(self) -> Markup:
        return render("talent_proof.html.j2", proof=talent.proof(self.model.run), **WORDS)

    def _sheets_html(self) -> Markup:
        lead = "培养计划只是建议：预计提高的分数不记入任何人的得分，实际以后来的证据为准。"
        return render(
            "casework_sheets.html.j2",
            lead=lead if self.model.tab == "steps" else "",
            sheets=self.model.sheets(),
            **WORDS,
        )

    def _person_html(self, person: str) -> tuple[Markup, Markup]:
        """Return the head of a person's file and what stands below the desk."""
        model, run = self.model, self.model.run
        name = model.names.of([person])[person]
        post = model.post() if model.tab == "posts" else None
        mine = next((c for c in model.candidates() if c.person_ref == person), None) if post else None
        aspects = [] if post is None else talent.asked(run, post["unit_code"], post["post"])
        weights = {row["aspect"]: row["weight"] for row in aspects}
        portrait = talent.portrait(run, person)
        rows = portrait.assign(weight=portrait["aspect"].map(weights).astype("float64").fillna(0.0))
        rows = rows.sort_values("weight", ascending=False, kind="stable")
        steps, changes = talent.cultivated(run, person)
        head = render(
            "talent_person.html.j2",
            name=name,
            person=person,
            facts=talent.person_facts(run, person),
            post=post,
            mine=mine,
            labels=PostKind.labels(),
            back=len(model.marked) == COMPARED,
            **WORDS,
        )
        file = render(
            "talent_file.html.j2",
            name=name,
            person=person,
            radar=Markup(talent_charts.radar_svg([portrait], [name])),
            aspects=[
                {
                    **row,
                    "interval": Markup(
                        talent_charts.interval_svg(
                            [(row["low"], row["mean"], row["high"])],
                            said=f"{row['label']}{row['mean']:.1f}分，{row['low']:.1f}至{row['high']:.1f}分",
                        )
                    ),
                }
                for row in rows.to_dict("records")
            ],
            weighted=bool(weights),
            verdicts=talent.verdicts(run, person, post["unit_code"] if post else ""),
            evidence=talent.evidence(run, person),
            tasks=talent.tasks(run, person, weights or None),
            trial=talent.trial_sentence(run, person, name=name),
            steps=steps,
            changes=changes[:TOLD],
            changes_total=len(changes),
            decisions=[] if post is None else model.decisions(),
            **WORDS,
        )
        return head, file

    def _comparison_html(self) -> Markup:
        model, run = self.model, self.model.run
        post = model.post()
        if post is None:
            return Markup()
        a, b = model.marked
        called = model.names.of([a, b])
        frame = talent.comparison(run, a, b, post["unit_code"], post["post"])
        names = [called[a], called[b]]
        portraits = [talent.portrait(run, ref) for ref in (a, b)]
        places = {candidate.person_ref: candidate for candidate in model.candidates()}
        return render(
            "talent_comparison.html.j2",
            post=post,
            labels=PostKind.labels(),
            people=[
                {
                    "ref": ref,
                    "name": called[ref],
                    "who": places.get(ref),
                    "verdict": next(
                        v
                        for v in talent.verdicts(run, ref, post["unit_code"])
                        if v.post.value == post["post"]
                    ),
                    "evidence": talent.evidence(run, ref),
                }
                for ref in (a, b)
            ],
            sentence=talent.comparison_sentence(frame, names[0], names[1]),
            radar=Markup(talent_charts.radar_svg(portraits, names)),
            rows=[
                {
                    **row,
                    "interval": Markup(
                        talent_charts.interval_svg(
                            [
                                (row["a_low"], row["a_mean"], row["a_high"]),
                                (row["b_low"], row["b_mean"], row["b_high"]),
                            ],
                            said="；".join(
                                f"{name}{row[f'{who}_mean']:.1f}分，"
                                f"{row[f'{who}_low']:.1f}至{row[f'{who}_high']:.1f}分"
                                for name, who in zip(names, "ab", strict=True)
                            ),
                        )
                    ),
                }
                for row in frame.to_dict("records")
            ],
            **WORDS,
        )


def open_talent(folder: Path | None = None) -> ipywidgets.DOMWidget:
    """Return the talent screen of a talent folder, or an alert.

    Parameters
    ----------
    folder
        Folder written by ``huanjie match``; by default the one that the environment of the server names, as
        it names account, names and ledger.
    """
    return shown(lambda: _build(folder))


def _build(folder: Path | None) -> ipywidgets.DOMWidget:
    account = from_environment(ACTOR_VARIABLE, "登录账号", REMEDY)
    place = folder or Path(from_environment(TALENT_VARIABLE, "人才文件夹", REMEDY))
    names, store = os.environ.get(NAMES_VARIABLE, ""), os.environ.get(STORE_VARIABLE, "")
    model = TalentModel(
        read_talent(place),
        actor=actor_of(account),
        names=Names(Path(names) if names else None),
        ledger=open_cut(store) if store else None,
    )
    return TalentView(model, Site.from_environment()).widget


def _place_text(place: int, shortlist: tuple[talent.Candidate, ...]) -> str:
    return f"第{place}名" if place <= len(shortlist) else f"{len(shortlist)}名以外"


def _interval_text(candidate: talent.Candidate) -> str:
    return f"适配{candidate.fit:.1f}分，{candidate.low:.1f}至{candidate.high:.1f}分"
