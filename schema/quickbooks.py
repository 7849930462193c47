"""What finance staff see of QuickBooks: what it has, what not, and why."""

from datetime import datetime

import strawberry

from models import quickbooks as tables
from models.quickbooks import BooksKind, BooksStatus
from resolvers import quickbooks
from schema.fields import Connection, Record, operation, related, shows
from schema.payments import Payment, Refund


@shows(tables.BooksEntry)
class BooksEntry(Record):
    """One of our rows and its counterpart in QuickBooks."""

    kind: BooksKind
    subject: str
    status: BooksStatus
    quickbooks_id: str | None
    error: str | None
    refusals: int
    synchronised_at: datetime | None
    payment: Payment | None = related("payment")
    refund: Refund | None = related("refund")


@strawberry.type(description="How far QuickBooks has what we have.")
class BooksStanding:
    """What the reconciliation says in figures."""

    is_connected: bool = strawberry.field(description="Whether a company is connected.")
    waiting: int = strawberry.field(description="Listed, and on its way.")
    refused: int = strawberry.field(description="Refused by QuickBooks; somebody must look.")
    done: int = strawberry.field(description="In QuickBooks.")
    not_listed: int = strawberry.field(description="Payments and refunds that the next run will list.")


@strawberry.type
class QuickBooksQueries:
    """Reconciling."""

    books_entries: Connection[BooksEntry] = operation(quickbooks.list_books_entries)
    books_standing: BooksStanding = operation(quickbooks.get_books_standing)


@strawberry.type
class QuickBooksMutations:
    """Trying again."""

    retry_books_entry: BooksEntry = operation(quickbooks.retry_books_entry)
