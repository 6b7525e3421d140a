"""Which papers there are of a case: where each is served, who may read it, in which states of the case there is one."""

from __future__ import annotations

from dataclasses import dataclass

from shared.identity.rights import Rights
from shared.identity.roles import BY_EXPERT, By


@dataclass(frozen=True)
class PaperOf:
    """`name`: by which it is called, `paper:<name>` in the catalogues. `path`: below the service's, with `{id}` in it.

    `resource`: whose right to `read` opens it; `by`: who has that; `states`: of the case that has the paper.
    """

    name: str
    service: str
    path: str
    resource: str
    by: By
    states: frozenset[str]

    @property
    def rights(self) -> Rights:
        """The rows of the policy, where the paper is a resource of its own."""
        return self.resource, "read", self.by

    def address(self, id: str) -> str:
        """Of its page route, for the case of that id."""
        return f"/{self.service}{self.path.format(id=id)}"


# Registration sets what names a person; the cases that these are of stand in other services, whose pages lead to them.
CERTIFICATE = PaperOf(
    "certificate",
    "registration",
    "/certificates/{id}.pdf",
    "certificates",
    BY_EXPERT,
    frozenset({"completed"}),
)
OFFER = PaperOf(
    "offer_letter",
    "registration",
    "/offers/{id}.pdf",
    "offers",
    BY_EXPERT,
    frozenset({"offered", "accepted"}),
)
