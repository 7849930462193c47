"""What is announced about payments that concern no booking."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.payments import Dispute


@dataclass(frozen=True)
class DisputeFact:
    """Something happened to a dispute; the staff may know."""

    kind: ClassVar[str]
    dispute: Dispute

    @property
    def topics(self) -> list[str]:
        return ["payments", f"payment:{self.dispute.payment_id}"]

    @property
    def subject_id(self) -> int:
        return self.dispute.payment_id

    @property
    def data(self) -> dict[str, Any]:
        return {"dispute_id": self.dispute.id, "status": self.dispute.status, "reason": self.dispute.reason}


@dataclass(frozen=True)
class PaymentDisputed(DisputeFact):
    """A customer asks their money back through their bank."""

    kind = "payment.disputed"


@dataclass(frozen=True)
class DisputeChanged(DisputeFact):
    """A dispute goes on, or has ended."""

    kind = "payment.dispute_changed"
