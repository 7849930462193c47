"""What is announced about investments."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.investments import InvestmentInterest
from subscriptions.sessions import AUTHORITY


@dataclass(frozen=True)
class InterestExpressed:
    """An investor is interested, or says how much anew; the staff may know."""

    kind: ClassVar[str] = "investment.interest"
    interest: InvestmentInterest

    @property
    def topics(self) -> list[str]:
        return ["investments", f"user:{self.interest.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.interest.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.interest.status}


@dataclass(frozen=True)
class InvestmentAccessChanged:
    """Somebody may see the investment portal now, or may not any more."""

    kind: ClassVar[str] = "investment.access"
    user_id: int
    is_granted: bool

    @property
    def topics(self) -> list[str]:
        return ["investments", f"user:{self.user_id}", AUTHORITY]

    @property
    def subject_id(self) -> int:
        return self.user_id

    @property
    def data(self) -> dict[str, Any]:
        return {"is_granted": self.is_granted}
