"""Every topic, in one place. Names are `<owner>.<aggregate plural>`; the key is the subject's id.

`sankofa doctor` compares these with what the log has; a partition count never changes.
"""

from __future__ import annotations

from shared.messaging.port import Topic

PARTITIONS = 6

PROGRAMMES = Topic("registration.programmes", 1)
PERSONS = Topic("registration.persons", PARTITIONS)
PROFILES = Topic("registration.profiles", PARTITIONS, compacted=True)
EXPERTS = Topic("registration.experts", PARTITIONS)
INSTITUTIONS = Topic("registration.institutions", PARTITIONS)
ASSIGNMENTS = Topic("matching.assignments", PARTITIONS)
MATCHES = Topic("matching.matches", PARTITIONS)
PLACEMENTS = Topic("placement.placements", PARTITIONS)

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        PROGRAMMES,
        PERSONS,
        PROFILES,
        EXPERTS,
        INSTITUTIONS,
        ASSIGNMENTS,
        MATCHES,
        PLACEMENTS,
    )
}
