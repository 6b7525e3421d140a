"""Lists that an officer saved under a name: what they are narrowed by, their columns and their order, as an address
has them. A list of another service is saved the same way: what it may be asked for is generated from its case.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from shared.contracts.base import Id, Instant
from shared.contracts.patterns import written
from shared.errors import Refusal
from shared.texts import one_line

SAVED_VIEWS = "saved-views"
# Of one account, over all lists.
VIEWS_AT_MOST = 60
# Of so many accounts that share some with an office theirs are offered.
SHARING_AT_MOST = 100
TOO_MANY = "too_many_views"
_PARAMETER = r"[a-z_]{1,40}=[A-Za-z0-9%._~+*-]{0,400}"
A_LIST = "the service of a list and the name of its cases, as registration/experts"
_LIST = written(r"^(registration|matching|placement|monitoring)/[a-z][a-z-]{0,40}$", A_LIST)
_QUERY = written(
    rf"^({_PARAMETER}(&{_PARAMETER}){{0,19}})?$",
    "at most 20 parameters of the list, as in its address",
)
# Where one stands in a list, and in which language it is read, is of the moment.
_OF_THE_MOMENT = frozenset({"after", "lang"})


def _lasting(query: str) -> str:
    """In one order and without what is of the moment."""
    return urlencode(sorted({(name, value) for name, value in parse_qsl(query) if name not in _OF_THE_MOMENT}))


ListPath = Annotated[str, StringConstraints(pattern=_LIST)]
ViewName = Annotated[str, StringConstraints(min_length=1, max_length=80), BeforeValidator(one_line)]
Narrowing = Annotated[
    str,
    StringConstraints(max_length=1_000, pattern=_QUERY),
    AfterValidator(_lasting),
]


class SavedView(BaseModel):
    """`list`: the service and the name of its cases; `query`: of the list's address; `shared`: with the office."""

    model_config = ConfigDict(frozen=True)

    list: str
    name: str
    query: str
    shared: bool
    office: str | None
    saved_at: Instant

    @property
    def place(self) -> tuple[str, str]:
        """What it is known by among those of its account: names that differ in capitals alone are one."""
        return self.list, self.name.casefold()


class SavedViews(BaseModel):
    """All of one account, each under its name in its list. `removed_by`: the newest commands under a key that
    removed one, so that they are answered alike when they come again."""

    model_config = ConfigDict(frozen=True)

    views: tuple[SavedView, ...] = ()
    removed_by: tuple[Id, ...] = ()

    def with_one(self, view: SavedView) -> SavedViews:
        """One of the same name takes the other's place; what says the same stays as it was saved. Raises Refusal."""
        standing = next((one for one in self.views if one.place == view.place), None)
        if standing is not None and standing == view.model_copy(update={"saved_at": standing.saved_at}):
            return self
        others = tuple(one for one in self.views if one.place != view.place)
        if len(others) >= VIEWS_AT_MOST:
            raise Refusal(TOO_MANY, f"at most {VIEWS_AT_MOST} of one account; remove one first")
        return self.model_copy(update={"views": (*others, view)})

    def shares(self, view: SavedView) -> bool:
        """Whether the one in its place is shared."""
        return any(one.shared for one in self.views if one.place == view.place)

    def kept_back(self, view: SavedView) -> SavedViews:
        """It stays as it is, and is offered to nobody else."""
        kept = (one.model_copy(update={"shared": False}) if one.place == view.place else one for one in self.views)
        return self.model_copy(update={"views": tuple(kept)})

    def without(self, view: SavedView, command: str | None = None) -> SavedViews:
        """`command`: the id of what removes it, None where that cannot be asked again under a key."""
        kept = tuple(one for one in self.views if one.place != view.place)
        known = (*self.removed_by, *([command] if command else []))[-VIEWS_AT_MOST:]
        return SavedViews(views=kept, removed_by=known)
