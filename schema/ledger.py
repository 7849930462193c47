"""What bookkeepers see of the books."""

from decimal import Decimal

import strawberry

from models import ledger as tables
from models.ledger import AccountKind
from resolvers import ledger
from schema.fields import Connection, Record, column, expression, operation, related, shows


@shows(tables.Account)
class Account(Record):
    """A pot of money in one currency, of the house or of one person."""

    kind: AccountKind
    name: str
    currency: str
    balance: Decimal = expression(ledger.balance_of, "What its entries add up to: debits less credits.")


@shows(tables.Entry)
class Entry(Record):
    """One side of a movement of money."""

    amount: Decimal
    currency: str
    account_kind: AccountKind = column("account.kind")
    account_name: str = column("account.name")


@shows(tables.LedgerTransaction)
class LedgerTransaction(Record):
    """One movement of money; its entries sum to zero."""

    description: str
    cause: str
    entries: list[Entry] = related("entries")


@strawberry.type
class LedgerQueries:
    """Reading the books."""

    accounts: list[Account] = operation(ledger.list_accounts)
    ledger_transactions: Connection[LedgerTransaction] = operation(ledger.list_ledger_transactions)
