"""What the simulated providers of demo mode remember, so that a restart forgets nothing and every process sees the same."""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Model


class SimulatedObject(Model):
    """One object of a provider that is simulated, under the provider's own id."""

    __tablename__ = "simulated_objects"
    __history__ = False

    provider: Mapped[str] = mapped_column(doc="Such as stripe.")
    key: Mapped[str] = mapped_column(doc="The provider's id, such as pi_….")
    kind: Mapped[str] = mapped_column(doc="Such as payment_intent.")
    data: Mapped[dict[str, Any]] = mapped_column(info=SENSITIVE, doc="The object as the provider would keep it.")

    __table_args__ = (UniqueConstraint("provider", "key"), Index(None, "provider", "kind"))
