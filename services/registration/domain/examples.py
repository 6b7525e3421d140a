"""Examples of bodies, each accepted by its verb: what the tables of moves and the OpenAPI documents show."""

from __future__ import annotations

from typing import Any

ATTRIBUTES: dict[str, Any] = {
    "sex": "female",
    "birth_year": 1971,
    "nationality": "NL",
    "country_of_origin": "AF",
    "country_of_residence": "NL",
    "education": 7,
    "occupation": "2310",
    "experience_years": 12,
    "sector": "education",
    "languages": [{"language": "fa", "level": "C2"}, {"language": "en", "level": "B2"}],
}
PROFILE: dict[str, Any] = {"attributes": ATTRIBUTES, "valid_from": "2007-03-05"}
EXPERT: dict[str, Any] = {
    "programme": "example-1",
    "office": "kabul",
    "person": {
        "given_name": "Given",
        "family_name": "Family",
        "email": "somebody@example.org",
        "telephone": "+31 20 000 00 00",
        "document": {"type": "passport", "country": "NL", "number": "X0000000"},
        "attributes": ATTRIBUTES,
        "valid_from": "2007-03-05",
    },
    "consents": ["placement"],
}
CHANGED_IDENTITY: dict[str, Any] = {
    "given_name": "Given",
    "family_name": "Other",
    "born": {"year": 1971, "month": 3},
    "document": {"type": "passport", "country": "NL", "number": "X0000009"},
    "reason": "marriage",
}
CONTACT: dict[str, Any] = {
    "email": "somebody@example.org",
    "language": "fr",
    "often": "daily",
    "unwanted": ["progress"],
}
INSTITUTION: dict[str, Any] = {
    "name": "Teacher training college",
    "country": "AF",
    "sector": "education",
    "host_type": "public",
    "office": "kabul",
    "account": "college@example.org",
}
DEFINITION: dict[str, Any] = {
    "code": "example-1",
    "title": {"en": "Return of qualified nationals, an example"},
    "phase": "1",
    "dates": {"starts": "2006-01-01", "ends": "2036-07-01"},
    "offices": [
        {"code": "kabul", "name": {"en": "Kabul"}, "country": "AF", "time_zone": "Asia/Kabul"},
    ],
    "countries_of_origin": ["AF"],
    "countries_of_residence": ["NL"],
    "sectors": [{"code": "education", "name": {"en": "Education"}}],
    "selection": {
        "documents": [{"code": "diploma", "name": {"en": "Diploma"}, "needed": True, "most": 3}],
        "eligibility": [
            {
                "criterion": "education",
                "name": {"en": "A degree"},
                "attribute": "education",
                "operator": "at_least",
                "required": 6,
            }
        ],
        "score": [{"component": "sector", "weight": 60}, {"component": "education", "weight": 40}],
    },
    "placement": {
        "modalities": ["temporary", "virtual"],
        "host_types": [{"code": "public", "name": {"en": "Public institution"}}],
        "preparation": {"temporary": ["training", "insurance"], "virtual": ["training"]},
    },
}
