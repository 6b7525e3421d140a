"""Everything that matching does about more than one document, each part made once for a replica."""

from __future__ import annotations

from services.matching.work.allocation import Allocation
from services.matching.work.candidates import Candidates
from services.matching.work.hosts import Hosts
from services.matching.work.offers import Offers
from services.matching.work.promises import Promises
from services.matching.work.putting_right import PuttingRight
from services.matching.work.requests import Requests
from services.matching.work.retraction import Retraction
from services.matching.work.selection import Selection
from services.matching.work.shortlisting import Shortlists
from services.matching.work.vacancies import Vacancies
from services.matching.work.withdrawal import Withdrawal
from shared.replica import Replica


class Works:
    """The parts, by name."""

    def __init__(self, replica: Replica) -> None:
        self.promises = Promises(replica)
        self.selection = Selection(replica, self.promises)
        self.candidates = Candidates(replica, self.selection)
        self.hosts = Hosts(replica, self.selection)
        self.offers = Offers(replica)
        self.shortlists = Shortlists(replica, self.promises, self.selection)
        self.allocation = Allocation(replica, self.promises, self.selection, self.shortlists)
        self.putting_right = PuttingRight(replica, self.selection)
        self.requests = Requests(replica, self.selection)
        self.retraction = Retraction(replica, self.promises)
        self.vacancies = Vacancies(replica, self.selection)
        self.withdrawal = Withdrawal(replica, self.promises)
