"""What staff can do with the rows of each table."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from models.base import Model
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.identity import User
from models.kiosks import Kiosk
from models.payments import Payment
from resolvers import blocking, bookings, jobs, kiosks, refunds, visits
from web.admin.acting import Act, Wanted

REASON = Wanted("reason", "Reason")
NEEDED_REASON = Wanted("reason", "Reason", is_required=True)


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite():
        raise InvalidOperation
    return amount


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
    ),
    Kiosk: (Act(kiosks.revoke_kiosk, "Revoke", "Take this kiosk out of service?", suits=lambda row: row.revoked_at is None),),
}
FOR_JOBS = (
    Act(
        jobs.requeue_jobs, "Run again", "Let this job run again, with all its tries?", argument="numbers", names_row=lambda number: [number]
    ),
    Act(jobs.drop_jobs, "Drop", "Give this job up for good?", argument="numbers", names_row=lambda number: [number]),
)
