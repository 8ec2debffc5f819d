"""What a talent run says, as rows and sentences for screens, files and notebooks.

Functions of a :class:`~huanjie_lib.store.talent_folder.TalentRun` that read the rows of one post, one unit or
one person and no more. People go by their pseudonyms here; whoever shows them puts a name in its place.
"""

from __future__ import annotations

from huanjie_lib.views.talent.certificate import proof
from huanjie_lib.views.talent.lists import Candidate, candidates, grounds, listed
from huanjie_lib.views.talent.people import (
    Verdict,
    comparison,
    comparison_sentence,
    cultivated,
    evidence,
    person_facts,
    portrait,
    tasks,
    verdicts,
)
from huanjie_lib.views.talent.posts import asked, gap_sentence, post_list, summary
from huanjie_lib.views.talent.reserve import all_tasks, plans, quota
from huanjie_lib.views.talent.rows import points_text, short_ref
from huanjie_lib.views.talent.teams import (
    certainty,
    checks,
    committees,
    members,
    rule_costs,
    structure_sentence,
)
from huanjie_lib.views.talent.trials import race, races, trial_sentence
from huanjie_lib.vocabulary import ADVICE

__all__ = [
    "ADVICE",
    "Candidate",
    "Verdict",
    "all_tasks",
    "asked",
    "candidates",
    "certainty",
    "checks",
    "committees",
    "comparison",
    "comparison_sentence",
    "cultivated",
    "evidence",
    "gap_sentence",
    "grounds",
    "listed",
    "members",
    "person_facts",
    "plans",
    "points_text",
    "portrait",
    "post_list",
    "proof",
    "quota",
    "race",
    "races",
    "rule_costs",
    "short_ref",
    "structure_sentence",
    "summary",
    "tasks",
    "trial_sentence",
    "verdicts",
]
