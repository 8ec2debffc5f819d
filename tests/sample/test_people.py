"""The reserve looks like one, gives nobody away, and its scores follow ability and not sex or ethnicity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.access.id_numbers import IdNumber, read_id_number
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.sample import City, make_city

RESERVE = ["selected", "cultivating", "trial"]


@pytest.fixture(scope="module")
def opened(city: City) -> pd.DataFrame:
    """Open every sealed identity, as only the holder of the key can."""
    keys = KeyRing.from_seed(city.seed)
    sealed = city.tables["identities"]
    return pd.DataFrame(
        {
            "person_ref": sealed["person_ref"],
            "name": [keys.unseal(s, "name", r) for r, s in sealed[["person_ref", "name_sealed"]].to_numpy()],
            "number": [
                keys.unseal(s, "id_number", r) for r, s in sealed[["person_ref", "id_sealed"]].to_numpy()
            ],
        }
    )


def test_each_person_is_registered_once_in_every_table(city: City) -> None:
    people = city.tables["people"]
    assert len(people) == round(20_000 * 400 / 3215)
    assert people["person_ref"].str.fullmatch(r"P[A-Z2-7]{16}").all()
    for name in ("people_protected", "identities"):
        assert city.tables[name]["person_ref"].tolist() == people["person_ref"].tolist()


def test_sealed_numbers_are_sound_fictional_and_the_source_of_the_pseudonyms(
    city: City, opened: pd.DataFrame
) -> None:
    keys = KeyRing.from_seed(city.seed)
    assert opened["number"].is_unique
    assert opened["number"].str.startswith("99").all()  # no real place
    read = [read_id_number(number) for number in opened["number"]]
    good = [number for number in read if isinstance(number, IdNumber)]
    assert len(good) == len(read)
    assert [keys.pseudonym("person", n.text) for n in good] == opened["person_ref"].tolist()
    assert [n.birth_on.year for n in good] == city.tables["people"]["birth_year"].tolist()
    assert [n.sex.value for n in good] == city.tables["people_protected"]["sex"].tolist()


def test_nobody_is_registered_before_coming_of_age(city: City, opened: pd.DataFrame) -> None:
    people = city.tables["people"].merge(opened, on="person_ref", validate="one_to_one")
    born = pd.to_datetime(people["number"].str[6:14])
    assert (born + pd.DateOffset(years=18) <= people["registered_on"]).all()


def test_no_name_or_number_stands_in_a_table(city: City, opened: pd.DataFrame) -> None:
    secrets = [*opened["name"].head(40), *opened["number"].head(40)]
    for name, frame in city.tables.items():
        if name == "facts":
            continue
        cells = frame.head(3000).to_csv()
        assert not [secret for secret in secrets if f",{secret}," in cells], name
    assert not {"name", "number"} & set(city.truth.columns)


def test_the_reserve_has_the_shape_of_one(city: City) -> None:
    people = city.tables["people"]
    here = people[people["status"].isin(RESERVE)].groupby("unit_code").size()
    held = here.reindex(city.tables["units"]["unit_code"], fill_value=0)
    assert 0.10 < (held < 2).mean() < 0.35  # some units lack people
    assert 0.02 < people["unit_code"].isna().mean() < 0.07  # people from elsewhere
    last = people["updated_on"].fillna(people["registered_on"])
    assert 0.06 < ((pd.Timestamp(city.as_of) - last).dt.days > 365).mean() < 0.25
    for column, least in (("source", 0.03), ("channel", 0.10), ("status", 0.02)):
        assert people[column].value_counts(normalize=True).min() > least
        assert people[column].nunique() >= 3
    age = city.as_of.year - people["birth_year"]
    by_source = age.groupby(people["source"]).mean()
    assert by_source["graduate"] < by_source["returnee"] < by_source["incumbent"]


def test_kin_are_pairs_of_known_people(city: City) -> None:
    kin = city.tables["kinships"]
    known = set(city.tables["people"]["person_ref"]) | set(city.tables["audit_subjects"]["person_ref"])
    assert set(kin["other_ref"]) <= known
    assert (kin["person_ref"] != kin["other_ref"]).all()
    pairs = {frozenset(pair) for pair in kin[["person_ref", "other_ref"]].itertuples(index=False)}
    assert len(pairs) == len(kin)
    inside = kin["other_ref"].isin(city.tables["people"]["person_ref"])
    assert inside.any()
    assert (~inside).any()


def test_ratings_know_no_sex_beyond_what_backgrounds_differ(city: City) -> None:
    """Within a background, women and men are rated alike; between backgrounds they are not."""
    tables = city.tables
    rated = tables["evidence"].groupby("person_ref")["rating"].mean().rename("rating")
    both = (
        tables["people_protected"]
        .merge(tables["people"][["person_ref", "source"]])
        .merge(rated, on="person_ref")
    )
    centred = both["rating"] - both.groupby("source")["rating"].transform("mean")
    women = both["sex"] == "2"
    error = np.sqrt(centred[women].var() / women.sum() + centred[~women].var() / (~women).sum())
    assert abs(centred[women].mean() - centred[~women].mean()) < 3 * error
    share = women.groupby(both["source"]).mean()
    assert share["veteran"] < 0.15 < share["graduate"]


def test_more_people_can_be_asked_for_and_the_city_stays_as_it_is() -> None:
    few, many = make_city(units=60, people=150), make_city(units=60, people=600)
    assert (len(few.tables["people"]), len(many.tables["people"])) == (150, 600)
    personal = {"people", "people_protected", "identities", "kinships", "evidence", "plans", "vettings"}
    for name in set(few.tables) - personal - {"assessments"}:
        pd.testing.assert_frame_equal(few.tables[name], many.tables[name])
