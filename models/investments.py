"""The investment portal: opportunities, their documents, and who is interested. Only investors and staff see any of it."""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Money, Visible

if TYPE_CHECKING:
    from models.files import StoredFile
    from models.identity import User


class OpportunityStatus(StrEnum):
    """Whether an opportunity can be invested in.

    DRAFT: Only staff see it.
    OPEN: Investors may show interest.
    CLOSED: It takes no more interest.
    """

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


OPPORTUNITY_MOVES = {
    OpportunityStatus.DRAFT: {OpportunityStatus.OPEN},
    OpportunityStatus.OPEN: {OpportunityStatus.CLOSED},
    OpportunityStatus.CLOSED: {OpportunityStatus.OPEN},
}


class Opportunity(Visible):
    """Something that investors may put money into."""

    __tablename__ = "opportunities"

    title: Mapped[str] = mapped_column(doc="What it is called.")
    description: Mapped[str] = mapped_column(doc="What it is about.")
    minimum_investment: Mapped[Money] = mapped_column(doc="The least that one investor puts in.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of its amounts.")
    expected_roi: Mapped[str] = mapped_column(doc="What is expected to come back, in words, such as 15-20%.")
    timeline: Mapped[str] = mapped_column(doc="How long it takes, in words, such as 18-24 months.")
    status: Mapped[OpportunityStatus] = mapped_column(default=OpportunityStatus.DRAFT, doc="Whether it can be invested in.")

    documents: Mapped[list["InvestmentDocument"]] = relationship(
        lazy="raise", viewonly=True, order_by="InvestmentDocument.id", doc="What can be read about it."
    )
    interests: Mapped[list["InvestmentInterest"]] = relationship(
        lazy="raise", viewonly=True, order_by="InvestmentInterest.id", doc="Who is interested."
    )

    __table_args__ = (CheckConstraint("minimum_investment > 0", name="minimum"),)


class InvestmentDocument(Visible):
    """A document about an opportunity; its file is read under links that expire."""

    __tablename__ = "investment_documents"

    opportunity_id: Mapped[int] = mapped_column(ForeignKey("opportunities.id"), index=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("stored_files.id"), unique=True)
    name: Mapped[str] = mapped_column(doc="Its name, as investors see it.")

    opportunity: Mapped[Opportunity] = relationship(lazy="raise", doc="What it is about.")
    file: Mapped["StoredFile"] = relationship(lazy="raise", doc="The file itself.")


class InterestStatus(StrEnum):
    """What became of an interest.

    NEW: Nobody has answered yet.
    CONTACTED: Somebody has spoken with them.
    COMMITTED: They will invest.
    DECLINED: The house has declined.
    WITHDRAWN: They have thought better of it.
    """

    NEW = "new"
    CONTACTED = "contacted"
    COMMITTED = "committed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


INTEREST_MOVES = {
    InterestStatus.NEW: {InterestStatus.CONTACTED, InterestStatus.COMMITTED, InterestStatus.DECLINED, InterestStatus.WITHDRAWN},
    InterestStatus.CONTACTED: {InterestStatus.NEW, InterestStatus.COMMITTED, InterestStatus.DECLINED, InterestStatus.WITHDRAWN},
    InterestStatus.DECLINED: {InterestStatus.CONTACTED},
    InterestStatus.WITHDRAWN: {InterestStatus.NEW},
}


class ContactMethod(StrEnum):
    """How an investor wants to be reached.

    EMAIL: By mail.
    PHONE: By phone.
    """

    EMAIL = "email"
    PHONE = "phone"


class InvestmentInterest(Visible):
    """An investor would like to put money into an opportunity; one per person and opportunity."""

    __tablename__ = "investment_interests"

    opportunity_id: Mapped[int] = mapped_column(ForeignKey("opportunities.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    amount: Mapped[Money] = mapped_column(doc="How much they think of.")
    contact_method: Mapped[ContactMethod] = mapped_column(default=ContactMethod.EMAIL, doc="How they want to be reached.")
    message: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What they wrote.")
    status: Mapped[InterestStatus] = mapped_column(default=InterestStatus.NEW, doc="What became of it.")
    staff_note: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What staff noted.")

    opportunity: Mapped[Opportunity] = relationship(lazy="raise", doc="What they are interested in.")
    user: Mapped["User"] = relationship(lazy="raise", doc="Who is interested.")

    __table_args__ = (UniqueConstraint("opportunity_id", "user_id"), CheckConstraint("amount > 0", name="amount"))
