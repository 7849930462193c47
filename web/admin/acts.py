"""What staff can do with the rows of each table."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from models.base import Model
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.campaigns import Campaign
from models.concierge import CONCIERGE_MOVES, ConciergeRequest, ConciergeStatus
from models.forms import FORM_MOVES, FormStatus, FormSubmission
from models.identity import User
from models.investments import INTEREST_MOVES, OPPORTUNITY_MOVES, InterestStatus, InvestmentInterest, Opportunity, OpportunityStatus
from models.kiosks import Kiosk
from models.payments import Payment
from models.quickbooks import BooksEntry
from models.shop import Product, Purchase, PurchaseStatus
from resolvers import (
    blocking,
    bookings,
    campaigns,
    concierge,
    forms,
    investment_access,
    investments,
    jobs,
    kiosks,
    purchases,
    quickbooks,
    refunds,
    shop,
    visits,
)
from schema.scalars import MONEY
from web.admin.acting import Act, Wanted

WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
REASON = Wanted("reason", "Reason")
NOTE = Wanted("note", "Note")
NEEDED_REASON = Wanted("reason", "Reason", is_required=True)


def _amount(text: str) -> Decimal:
    if not MONEY.fullmatch(text):
        raise ValueError
    return Decimal(text)


def _whole(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise ValueError
    return int(text)


def _number(name: str, label: str) -> Wanted:
    return Wanted(name, label, is_required=True, read=_whole)


def _status(kind: type[StrEnum], moves: Mapping[Any, Iterable[StrEnum]]) -> Wanted:
    """To which status it goes, of those that the present one allows."""
    return Wanted("status", "Status", is_required=True, read=kind, choices=lambda row: moves.get(row.status, ()))


ACTS: Mapping[type[Model], tuple[Act, ...]] = {
    Booking: (
        Act(
            visits.start_visit,
            "Guest is there",
            "Note that the guest has arrived?",
            suits=lambda row: row.status is BookingStatus.CONFIRMED,
        ),
        Act(
            visits.complete_visit,
            "Took place",
            "Note that the appointment took place?",
            suits=lambda row: row.status in (BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS),
        ),
        Act(
            bookings.cancel_booking,
            "Cancel",
            "Cancel this booking? Its time is free at once, and what was paid goes back.",
            (REASON,),
            suits=lambda row: row.status in bookings.OPEN,
        ),
    ),
    Payment: (
        Act(
            refunds.refund_payment,
            "Refund",
            "Give this payment back, or a part of it?",
            (Wanted("amount", "Amount (all that is left when empty)", read=_amount), REASON),
            suits=lambda row: row.status in (PaymentStatus.CHARGED, PaymentStatus.REFUNDED) and row.refunded_amount < row.amount,
        ),
    ),
    User: (
        Act(
            blocking.block_account,
            "Block",
            "Block this account? Its sessions end at once.",
            (NEEDED_REASON,),
            suits=lambda row: row.is_active,
        ),
        Act(
            blocking.unblock_account,
            "Unblock",
            "Let this account be used again?",
            (NEEDED_REASON,),
            suits=lambda row: not row.is_active and row.erased_at is None,
        ),
        Act(
            investment_access.grant_investment_access,
            "Grant investment access",
            "Show this person the investment section?",
            argument="person_id",
        ),
        Act(
            investment_access.revoke_investment_access,
            "Revoke investment access",
            "Show this person the investment section no more?",
            argument="person_id",
        ),
    ),
    Purchase: (
        Act(
            purchases.mark_purchase_ready,
            "Ready",
            "Tell the customer that it can be picked up?",
            suits=lambda row: row.status is PurchaseStatus.CONFIRMED,
        ),
        Act(
            purchases.mark_purchase_collected,
            "Picked up",
            "Note that the customer has it?",
            suits=lambda row: row.status in (PurchaseStatus.CONFIRMED, PurchaseStatus.READY),
        ),
    ),
    Product: (
        Act(shop.receive_stock, "Goods came in", "How many came in?", (_number("quantity", "Quantity"), NOTE)),
        Act(shop.correct_stock, "Counted", "How many are on the shelf?", (_number("counted", "Counted"), NOTE)),
    ),
    ConciergeRequest: (
        Act(
            concierge.move_concierge_request,
            "Move on",
            "Where does the request stand now?",
            (_status(ConciergeStatus, CONCIERGE_MOVES), NOTE),
            suits=lambda row: row.status in CONCIERGE_MOVES,
        ),
        Act(concierge.add_concierge_note, "Note", "Add a note for the staff?", (Wanted("text", "Note", is_required=True),)),
    ),
    InvestmentInterest: (
        Act(
            investments.move_interest,
            "Move on",
            "What became of the interest?",
            (_status(InterestStatus, INTEREST_MOVES), NOTE),
            suits=lambda row: row.status in INTEREST_MOVES,
        ),
    ),
    Opportunity: (
        Act(
            investments.move_opportunity,
            "Open or close",
            "Can this opportunity be invested in?",
            (_status(OpportunityStatus, OPPORTUNITY_MOVES),),
            suits=lambda row: row.status in OPPORTUNITY_MOVES,
        ),
    ),
    FormSubmission: (
        Act(
            forms.handle_form_submission,
            "Handle",
            "Where does this form stand now?",
            (_status(FormStatus, FORM_MOVES), NOTE),
            suits=lambda row: row.status in FORM_MOVES,
        ),
    ),
    Campaign: (
        Act(campaigns.pause_campaign, "Pause", "Send no more of it for now?"),
        Act(campaigns.cancel_campaign, "Cancel", "Send no more of it at all?"),
    ),
    BooksEntry: (Act(quickbooks.retry_books_entry, "Try again", "Send this to QuickBooks again?"),),
    Kiosk: (Act(kiosks.revoke_kiosk, "Revoke", "Take this kiosk out of service?", suits=lambda row: row.revoked_at is None),),
}
FOR_JOBS = (
    Act(
        jobs.requeue_jobs, "Run again", "Let this job run again, with all its tries?", argument="numbers", names_row=lambda number: [number]
    ),
    Act(jobs.drop_jobs, "Drop", "Give this job up for good?", argument="numbers", names_row=lambda number: [number]),
)
