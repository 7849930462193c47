"""What staff do with accounts, and what people ask about their own data."""

from datetime import datetime

import strawberry

from models import accounts as tables
from resolvers import blocking, privacy
from schema.fields import Connection, Record, operation, related, shows
from schema.identity import Person


@shows(tables.AccountBlock)
class AccountBlock(Record):
    """A time in which somebody could not use their account."""

    reason: str
    lifted_at: datetime | None
    lift_reason: str | None
    user: Person = related("user")
    blocked_by: Person = related("blocked_by")
    lifted_by: Person | None = related("lifted_by")


@strawberry.type(description="Everything that is held of a person.")
class PersonalData:
    """The payload of exportPersonalData."""

    json: str = strawberry.field(description="The text of a JSON file: each table's rows under its name.")
    exported_at: datetime = strawberry.field(description="When it was read.")


@strawberry.type(description="A person was forgotten.")
class Erased:
    """The payload of eraseAccount."""

    erased_at: datetime = strawberry.field(description="When.")
    kept: list[str] = strawberry.field(description="What stays without a name, since the books need it.")


@strawberry.type
class AccountQueries:
    """Reading for staff."""

    account_blocks: Connection[AccountBlock] = operation(blocking.list_account_blocks)


@strawberry.type
class AccountMutations:
    """Blocking, exporting and erasing."""

    block_account: AccountBlock = operation(blocking.block_account)
    unblock_account: AccountBlock = operation(blocking.unblock_account)
    export_personal_data: PersonalData = operation(privacy.export_personal_data)
    erase_account: Erased = operation(privacy.erase_account)
