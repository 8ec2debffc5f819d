"""Which roles may read which columns of which table, and for what: the one list.

A table stands here under where it lies: ``tables/`` (contract tables of a data folder), ``run/``,
``ledgers/`` and ``restricted/`` (a run folder), ``talent/`` and ``sealed/`` (a talent folder) and ``store/``
(the ledger). What stands nowhere here is read by nobody. ``area`` names the column whose value begins with
the division code by which rows fall into an account's area; ``person_ref`` there means that the home of the
person decides. Tables that nobody reads serve the program alone: it opens names one by one
(:func:`huanjie_lib.access.masking.unmask`), and uses sex, ethnicity and kin for committees as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from huanjie_lib.access.masking import MASKED_ROLES
from huanjie_lib.contracts import SOURCE_COLUMNS, Purpose
from huanjie_lib.vocabulary import Role

__all__ = ["GRANTS", "LINE", "ORGANISATION", "RESTRICTED", "Grant"]

Roles = frozenset[Role]

NOBODY: Final[Roles] = frozenset()
ORGANISATION: Final[Roles] = frozenset(MASKED_ROLES)
"""Who works with single people of the reserve."""
UPPER: Final[Roles] = frozenset({Role.CITY, Role.COUNTY})
RESTRICTED: Final[Roles] = UPPER
"""Who sees leads, talks and leavers."""
LINE: Final[Roles] = UPPER | {Role.TOWNSHIP}
"""Offices that file returns, and answer for them."""
AUDITING: Final[Roles] = LINE | {Role.AUDIT}
AUDITING_PEOPLE: Final[Roles] = UPPER | {Role.AUDIT}
REVIEWING: Final[Roles] = UPPER | {Role.REVIEW}
OFFICES: Final[Roles] = AUDITING | {Role.REVIEW}
LEADERS: Final[Roles] = OFFICES | {Role.TALENT, Role.READER}
LOG: Final[Roles] = frozenset({Role.CITY, Role.AUDIT})
"""Who looks through the access log."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be read of one table.

    Parameters
    ----------
    table
        Where it lies and its name.
    purpose
        What it serves; it is read for nothing else.
    readers
        Roles that may read it.
    area
        Column by which rows fall into an area; ``None`` where rows belong to no area.
    columns
        Every column, with the roles that may read it.
    """

    table: str
    purpose: Purpose
    readers: Roles
    area: str | None
    columns: Mapping[str, Roles] = field(repr=False)


_AREAS: Final = ("unit_code", "township_code", "old_code", "code", "person_ref")
"""Columns by which rows fall into an area; the first that a table has counts."""
_NARROWER: Final[Mapping[str, Mapping[str, Roles]]] = {
    "tables/runs": {"published_by": OFFICES},
    "store/runs": {"published_by": OFFICES},
}
"""Columns that fewer roles read than the rest of their table."""


def _granted(place: str, purpose: Purpose, readers: Roles, tables: Mapping[str, str]) -> Iterator[Grant]:
    """Yield the grants of tables that serve one purpose; source columns of returns are for offices."""
    for name, columns in tables.items():
        table, held = f"{place}/{name}", dict.fromkeys(columns.split(), readers)
        if place == "tables":
            held |= {column.name: readers - {Role.READER} for column in SOURCE_COLUMNS}
        held |= {column: readers & roles for column, roles in _NARROWER.get(table, {}).items()}
        area = next((column for column in _AREAS if column in held), None)
        yield Grant(table, purpose, readers, area, held)


_GRANTS: Final = (
    *_granted(
        "tables",
        "reference",
        LEADERS,
        {
            "townships": "township_code township_name county_code county_name",
            "units": (
                "unit_code unit_name unit_kind township_code urban_rural voter_mode valid_from "
                "valid_to longitude latitude geometry"
            ),
        },
    ),
    *_granted(
        "tables",
        "reference",
        OFFICES,
        {
            "crosswalk": "old_code new_code kind effective_on confirmed_by confirmed_on",
        },
    ),
    *_granted(
        "tables",
        "risk",
        LINE,
        {
            "facts": "unit_code as_of metric value",
            "roll_checks": (
                "unit_code as_of cohort hukou_adults away_declined nonlocal_approved disqualified "
                "registered duplicates"
            ),
            "election_history": (
                "unit_code term election_on electors ballots invalid_ballots proxy_ballots candidates "
                "winner_votes runner_up_votes rerun incident"
            ),
        },
    ),
    *_granted(
        "tables",
        "casework",
        AUDITING,
        {
            "audit_projects": (
                "project_id unit_code audit_type plan_on started_on ended_on departments "
                "supervision_present representatives"
            ),
            "audit_items": "project_id unit_code item outcome concluded_on amount",
            "audit_notices": "notice_id project_id unit_code start_on end_on place objections answered",
            "audit_problems": (
                "problem_id project_id unit_code item severity found_on due_on closed_on owner evidence"
            ),
        },
    ),
    *_granted(
        "tables",
        "casework",
        AUDITING_PEOPLE,
        {
            "audit_subjects": "project_id unit_code person_ref post term_from term_to outcome concluded_on",
        },
    ),
    *_granted(
        "tables",
        "casework",
        LINE,
        {
            "disputes": (
                "dispute_id unit_code category opened_on resolved_on is_group people_involved "
                "has_leader stabilisation_plan_on resolution_plan_on"
            ),
            "unit_plans": "unit_code leader leader_on stabilisation_plan_on resolution_plan_on",
            "screenings": "screening_id unit_code screened_on method led_by_secretary households_visited",
        },
    ),
    *_granted(
        "tables",
        "casework",
        RESTRICTED,
        {
            "talks": "unit_code as_of target due done",
            "leavers": "person_ref unit_code left_on arrangement arranged_on",
        },
    ),
    *_granted(
        "tables",
        "casework",
        REVIEWING,
        {
            "reviews": "candidate_ref unit_code department opinion given_on expires_on",
        },
    ),
    *_granted(
        "tables",
        "risk",
        RESTRICTED,
        {
            "leads": "unit_code received_on kind count",
        },
    ),
    *_granted(
        "tables",
        "validation",
        RESTRICTED,
        {
            "outcomes": "unit_code term outcome kind observed_on",
        },
    ),
    *_granted(
        "tables",
        "talent",
        ORGANISATION,
        {
            "people": (
                "person_ref unit_code channel source birth_year education affiliation status "
                "registered_on updated_on"
            ),
            "vettings": "person_ref department opinion ground ended_on given_on expires_on document",
            "evidence": "evidence_id person_ref aspect kind year rating dated_on document",
            "assessments": (
                "assessment_id person_ref group_ref rater_ref household_ref is_kin online rating rated_on"
            ),
            "plans": "plan_id person_ref step aspect mentor_ref start_on due_on done_on result",
            "posts": "unit_code post seats profile",
        },
    ),
    *_granted(
        "tables",
        "talent",
        NOBODY,
        {
            "people_protected": "person_ref sex is_minority",
            "kinships": "person_ref other_ref relation",
        },
    ),
    *_granted(
        "tables",
        "identity",
        NOBODY,
        {
            "identities": "person_ref name_sealed id_sealed",
        },
    ),
    *_granted(
        "tables",
        "casework",
        OFFICES,
        {
            "cases": "case_id unit_code kind title cause state owner opened_on due_on closed_on",
            "case_events": (
                "event_id case_id sequence version event actor office role happened_on recorded_at "
                "payload previous_hash hash"
            ),
        },
    ),
    *_granted(
        "tables",
        "operations",
        LEADERS,
        {
            "runs": "run_id as_of parameter_version manifest_digest published_by",
        },
    ),
    *_granted(
        "tables",
        "operations",
        LOG,
        {
            "access_log": (
                "entry_id number action purpose subject detail digest items reason account office "
                "role recorded_at previous_hash hash"
            ),
        },
    ),
    *_granted(
        "run",
        "risk",
        LEADERS,
        {
            "boundaries": "unit_code geometry",
            "changes": (
                "unit_code index_before restated index_after change revised new reference weights "
                "method level_before level_after"
            ),
            "clusters": "unit_code kind value neighbours neighbour_mean local_i p q",
            "flips": "unit_code before from_level to_level index_before index change worse",
            "freshness": "source label latest_on age_days units_covered units_total",
            "gates": "unit_code gate status reason rule",
            "history": (
                "unit_code as_of index index_low index_high level to_verify finance_audit "
                "qualification_review election_outlook committee_operation conflict_petition "
                "candidate_reserve procedure"
            ),
            "index": "unit_code as_of index index_low index_high level to_verify",
            "indicators": (
                "unit_code indicator value status severity severity_low severity_high points reason "
                "data_date source_table source_file source_sheet source_row"
            ),
            "points_lost": "unit_code dimension indicator points",
            "readings": "unit_code topic text",
            "remedies": (
                "unit_code target reachable needed regained index_after cost days measures open_gates"
            ),
            "remedy_steps": "unit_code order measure label times cost days points who confidence",
            "sources": (
                "unit_code indicator source_table columns source_file source_sheet source_row letters "
                "headings"
            ),
            "trends": "unit_code direction slope slope_low slope_high snapshots",
            "uncertainty": (
                "unit_code p_red p_yellow p_green index_mean index_sd rank_low rank_high most_likely "
                "contested missing"
            ),
            "units": (
                "unit_code unit_name unit_kind township_code township_name county_code county_name "
                "urban_rural voter_mode longitude latitude"
            ),
        },
    ),
    *_granted(
        "ledgers",
        "casework",
        OFFICES,
        {
            "alerts": (
                "cause kind unit_code unit_name township_code township_name title reason owner due_on "
                "rule_due_on provisional subject restricted"
            ),
            "alerts_left_out": "kind item label units why",
            "amendments": "sequence case_id unit_code table key column before after",
            "rectifiable": "unit_code item_id causes table insert key fixed label fields",
            "regained": "unit_code indicator points_before points_after",
            "regained_units": (
                "unit_code index_before index_after level_before level_after blocked_before blocked_after"
            ),
            "unplaced": "sequence position case_id unit_code closed_on table insert key values reason",
        },
    ),
    *_granted(
        "ledgers",
        "casework",
        AUDITING,
        {
            "audit_coverage": (
                "level code units units_audited units_share persons persons_audited persons_share "
                "cleared failed unknown without_list adrift"
            ),
            "audit_items": "unit_code project_id item outcome concluded_on amount concluded",
            "audit_notices": (
                "unit_code notice_id project_id start_on end_on days place standing counts adjoins "
                "objections answered objections_open"
            ),
            "audit_problems": (
                "unit_code in_force problem_id project_id item severity found_on due_on closed_on "
                "owner evidence standing is_open is_overdue"
            ),
            "audit_units": (
                "unit_code unit_kind township_code stage verdict reason rule project_id audit_type "
                "plan_on started_on ended_on concluded_on plan_first offices_present offices_missing "
                "supervision_present representatives representatives_enough items_required "
                "items_concluded items_unclear items_missing members_due members_concluded "
                "members_unclear members_left members_unlisted notices_posted notices_valid "
                "notices_required notices_rejected objections answered objections_open problems_open "
                "problems_overdue problems_undated problems_unproven to_check"
            ),
            "handover": "unit_code kind key detail since due_on owner amount",
        },
    ),
    *_granted(
        "ledgers",
        "casework",
        LINE,
        {
            "conflict_coverage": (
                "level code units screened screened_share screening_lapsed never screening_unknown "
                "led led_share households_visited disputes_open groups_open groups_unstated "
                "oldest_days without_plan disputes_unknown adrift planned talks_due talks_done "
                "talks_unknown leavers unplaced"
            ),
            "conflict_units": (
                "unit_code township_code county_code screening screened_on screening_days method "
                "led_by_secretary households_visited disputes_open groups_open groups_unstated "
                "oldest_days without_leader without_stabilisation without_resolution without_plan "
                "leader leader_on leader_state stabilisation_plan_on stabilisation_state "
                "resolution_plan_on resolution_state plan_complete plan_lacking talks_on talks_due "
                "talks_done leavers unplaced longest_wait"
            ),
            "disputes": (
                "dispute_id unit_code township_code category opened_on resolved_on open days age_band "
                "is_group people_involved has_leader stabilisation_plan_on resolution_plan_on lacking "
                "twice earlier in_force subject source_file source_sheet source_row"
            ),
        },
    ),
    *_granted(
        "restricted",
        "casework",
        AUDITING_PEOPLE,
        {
            "audit_members": (
                "unit_code project_id person_ref post term_from term_to left listed outcome "
                "concluded_on audited"
            ),
        },
    ),
    *_granted(
        "restricted",
        "casework",
        RESTRICTED,
        {
            "leavers": (
                "person_ref unit_code township_code left_on arrangement arranged_on status waiting_days"
            ),
            "restricted_alerts": (
                "cause kind unit_code unit_name township_code township_name title reason owner due_on "
                "rule_due_on provisional subject restricted"
            ),
            "talks": "unit_code township_code as_of target due done outstanding",
        },
    ),
    *_granted(
        "restricted",
        "risk",
        RESTRICTED,
        {
            "signals": (
                "unit_code signal status observed expected base effect p_value q_value reason restricted"
            ),
        },
    ),
    *_granted(
        "talent",
        "talent",
        ORGANISATION,
        {
            "certificate": "column change rows status found",
            "cultivation": (
                "plan_id person_ref state step aspect mentor_ref start_on due_on done_on result "
                "days_late profile gain text"
            ),
            "eligibility": (
                "person_ref post rule label version source status reason checked_on expires_on unit_code"
            ),
            "eligible": "person_ref post status",
            "evidence": "person_ref aspect kind year rating dated_on document",
            "impact": "attribute value total chosen rate ratio low high flagged",
            "lists": "unit_code post person_ref fit",
            "people": (
                "person_ref unit_code channel source status registered_on updated_on stale_days stale "
                "birth_year education affiliation"
            ),
            "portraits": "person_ref aspect low mean high known",
            "posts": "unit_code post seats profile label wanted eligible listed lacking",
            "proxies": "attribute value people having model auc low high p status",
            "quota": "unit_code reserve stale wanted gap gap_if_stale_left",
            "races": "group group_ref person_ref fused band rank_low rank_high size",
            "raters": "rater_ref channel severity sd ratings",
            "shortlists": "unit_code post rank person_ref fit fit_low fit_high p_top reasons counter_reasons",
            "standing": "unit_code post person_ref step rank rank_after fit fit_after text",
            "structure": "kind value label people",
            "tasks": "person_ref aspect kind year gain text",
            "team_checks": "unit_code target label hard wanted found able met",
            "team_costs": "unit_code rule label cost",
            "teams": "unit_code post person_ref fit",
            "trials": (
                "person_ref group online offline fused sd low high ratings raters dropped_kin "
                "divergence divergence_z trend trend_sd"
            ),
            "units": "unit_code unit_name unit_kind township_code township_name",
            "weights": "unit_code post aspect weight tilt",
        },
    ),
    *_granted(
        "sealed",
        "identity",
        NOBODY,
        {
            "identities": "person_ref name_sealed id_sealed source_file source_sheet source_row",
        },
    ),
    *_granted(
        "store",
        "operations",
        LOG,
        {
            "access_log": (
                "number entry_id action purpose subject detail digest items reason account office "
                "role recorded_at previous_hash hash"
            ),
        },
    ),
    *_granted(
        "store",
        "casework",
        OFFICES,
        {
            "case_events": (
                "sequence event_id case_id version event actor office role happened_on recorded_at "
                "payload previous_hash hash"
            ),
            "cases": (
                "case_id unit_code unit_name township_code township_name kind title cause reason "
                "subject restricted state owner version opened_on due_on closed_on evidence "
                "rectifiers reopened returned postponed"
            ),
            "evidence": "sequence position digest name bytes media_type",
            "run_causes": "run_id cause",
        },
    ),
    *_granted(
        "store",
        "talent",
        ORGANISATION,
        {
            "decisions": (
                "number decision_id talent_run unit_code post person_ref choice instead_ref reason "
                "departs account office role recorded_at previous_hash hash"
            ),
        },
    ),
    *_granted(
        "store",
        "operations",
        NOBODY,
        {
            "meta": "key value",
        },
    ),
    *_granted(
        "store",
        "operations",
        ORGANISATION,
        {
            "request_events": (
                "number event_id request_id step kind person_ref happened_on due_on result reason "
                "account office role recorded_at previous_hash hash"
            ),
        },
    ),
    *_granted(
        "store",
        "operations",
        LEADERS,
        {
            "runs": (
                "number run_id as_of parameter_version published_by recorded_at content "
                "after_sequence after_hash events previous_hash hash"
            ),
        },
    ),
    *_granted(
        "store",
        "casework",
        LEADERS,
        {
            "run_units": "run_id unit_code index level",
        },
    ),
)

GRANTS: Final[Mapping[str, Grant]] = {grant.table: grant for grant in _GRANTS}
"""Every table by where it lies."""
