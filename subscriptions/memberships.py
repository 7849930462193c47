"""What is announced about memberships."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.memberships import Membership


@dataclass(frozen=True)
class MembershipFact:
    """Something happened to a membership; its member and the staff may know."""

    kind: ClassVar[str]
    membership: Membership

    @property
    def topics(self) -> list[str]:
        return ["memberships", f"membership:{self.membership.id}", f"user:{self.membership.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.membership.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.membership.status, "plan_id": self.membership.plan_id, "ends_on": self.membership.ends_on.isoformat()}


@dataclass(frozen=True)
class MembershipJoined(MembershipFact):
    """A person has become a member."""

    kind = "membership.joined"


@dataclass(frozen=True)
class MembershipChanged(MembershipFact):
    """A membership is on another plan, or will be renewed otherwise."""

    kind = "membership.changed"


@dataclass(frozen=True)
class MembershipRenewed(MembershipFact):
    """A membership was paid for another period."""

    kind = "membership.renewed"


@dataclass(frozen=True)
class RenewalFailed(MembershipFact):
    """A renewal could not be charged; it is tried again, or was given up."""

    kind = "membership.renewal_failed"


@dataclass(frozen=True)
class MembershipEnded(MembershipFact):
    """A membership does not count any more."""

    kind = "membership.ended"
