"""The section `reporting`: under which names a programme's figures go to donors (IATI) and to national systems (DHIS2).

What must hold beyond the types of the fields is in `shared/programmes/reporting_checks.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import Code, Country
from shared.programmes.indicators import LISTED_AT_MOST, Declared, Texts
from shared.programmes.sections.base import Section

# IATI's rules for identifiers (standard ruleset 2.03): none of / & | ?, and no blank.
Identifier = Annotated[str, StringConstraints(pattern=r"^[^\s/&|?]{1,100}$")]
# DHIS2 has codes of at most fifty characters, and takes any; its ids fit too.
Dhis2Code = Annotated[str, StringConstraints(pattern=r"^\S(.{0,48}\S)?$")]
# In ADX a category is the name of an attribute.
Dhis2Category = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,49}$")]
Percent = Annotated[int, Field(ge=1, le=100)]
# Code list OrganisationType of IATI 2.03.
OrganisationType = Literal[
    "10", "11", "15", "21", "22", "23", "24", "30", "40", "60", "70", "71", "72", "73", "80", "90"
]


class Organisation(Declared):
    """An organisation as IATI names it."""

    ref: Annotated[Identifier, Field(description="its identifier, as XM-DAC-47066")]
    type: Annotated[OrganisationType, Field(description="IATI's code of its type: 40 is multilateral")]
    name: Annotated[Texts, Field(description="what people read")]


class Participant(Organisation):
    """An organisation that has a part in the programme."""

    role: Annotated[
        Literal["funding", "accountable", "extending", "implementing"], Field(description="which part it has")
    ]


class SectorShare(Declared):
    """A purpose of the OECD's list, with its share of the programme."""

    code: Annotated[str, Field(pattern=r"^[0-9]{5}$", description="five digits, as 15190")]
    percent: Annotated[Percent, Field(description="all of them sum to 100")]


class CountryShare(Declared):
    """A country with its share of the programme."""

    code: Annotated[Country, Field(description="one of the countries of origin")]
    percent: Annotated[Percent, Field(description="all of them sum to 100")]


class Result(Declared):
    """Indicators that stand for one result."""

    code: Annotated[Code, Field(description="the result's")]
    name: Annotated[Texts, Field(description="what people read")]
    type: Annotated[Literal["output", "outcome", "impact", "other"], Field(description="of result")] = "output"
    indicators: Annotated[
        tuple[Code, ...], Field(min_length=1, max_length=200, description="each stands in one result")
    ]
    falling: Annotated[tuple[Code, ...], Field(max_length=200, description="those of which less is better")] = ()


class Iati(Declared):
    """What an IATI 2.03 activity says beside the figures."""

    activity: Annotated[Identifier, Field(description="the activity's identifier; it begins with the organisation's")]
    organisation: Annotated[Organisation, Field(description="who reports")]
    description: Annotated[Texts, Field(description="what the programme is about")]
    participants: Annotated[
        tuple[Participant, ...], Field(max_length=50, description="without any, who reports implements too")
    ] = ()
    sectors: Annotated[tuple[SectorShare, ...], Field(min_length=1, max_length=20, description="what it is for")]
    countries: Annotated[
        tuple[CountryShare, ...], Field(max_length=100, description="needed for several countries of origin")
    ] = ()
    results: Annotated[tuple[Result, ...], Field(min_length=1, max_length=50, description="what is reported")]


class Mapped(Declared):
    """A class of a breakdown, and what DHIS2 calls it."""

    code: Annotated[Code, Field(description="the class; not_stated for what nobody stated")]
    dhis2: Annotated[Dhis2Code, Field(description="its code there")]


class OrgUnits(Declared):
    """A breakdown whose classes are organisation units."""

    dimension: Annotated[Code, Field(description="of the definition")]
    units: Annotated[
        tuple[Mapped, ...], Field(min_length=1, max_length=LISTED_AT_MOST, description="the unit of each class")
    ]


class Category(Declared):
    """A breakdown that is a category: ADX asks for it."""

    dimension: Annotated[Code, Field(description="of the definition")]
    dhis2: Annotated[Dhis2Category, Field(description="the category's code, which becomes the name of an attribute")]
    options: Annotated[
        tuple[Mapped, ...], Field(min_length=1, max_length=LISTED_AT_MOST, description="the option of each class")
    ]


class Combo(Declared):
    """A category option combination: dataValueSets ask for it."""

    by: Annotated[tuple[Code, ...], Field(min_length=1, max_length=4, description="breakdowns of the definition")]
    classes: Annotated[tuple[Code, ...], Field(min_length=1, max_length=4, description="a class of each")]
    dhis2: Annotated[Dhis2Code, Field(description="the combination's code")]


class Element(Declared):
    """A data element: an indicator in one of its breakdowns, or without any."""

    indicator: Annotated[Code, Field(description="of the definition")]
    by: Annotated[
        tuple[Code, ...], Field(max_length=4, description="the breakdowns, that of the units among them")
    ] = ()
    dhis2: Annotated[Dhis2Code, Field(description="the data element's code")]


class Dhis2(Declared):
    """How figures are called in a DHIS2 system, by codes or by ids throughout."""

    scheme: Annotated[Literal["code", "uid"], Field(description="whether names are codes or ids")] = "code"
    data_set: Annotated[Dhis2Code, Field(description="the data set that the elements belong to")]
    org_unit: Annotated[Dhis2Code, Field(description="the organisation unit of what is not broken down by units")]
    org_units: Annotated[OrgUnits | None, Field(description="the units of the parts")] = None
    categories: Annotated[tuple[Category, ...], Field(max_length=20, description="for ADX")] = ()
    combos: Annotated[tuple[Combo, ...], Field(max_length=2_000, description="for dataValueSets")] = ()
    elements: Annotated[tuple[Element, ...], Field(min_length=1, max_length=500, description="what is reported")]


class ReportingSection(Section):
    """Under which names figures go to others; without a part, nothing goes out in its form."""

    iati: Annotated[Iati | None, Field(description="to donors, as IATI 2.03")] = None
    dhis2: Annotated[Dhis2 | None, Field(description="to a national system, as DHIS2 reads it")] = None
