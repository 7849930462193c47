"""Who changed what, as the heads of the house read it."""

from datetime import datetime

from sqlalchemy import Select, select

from models.history import Change
from models.identity import Role, User
from models.keys import Key
from resolvers.context import Context
from resolvers.operations import allow


@allow(Role.SUPER_ADMIN, Role.ADMIN)
def list_history(
    ctx: Context,
    *,
    table: str | None = None,
    row: int | None = None,
    actor_id: Key[User] | None = None,
    request_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[Change]:
    """Every change of the house's rows, whoever made it through whatever door; newest first."""
    wanted = [
        table is None or Change.table_name == table,
        row is None or Change.row_id == row,
        actor_id is None or Change.actor_id == actor_id.of(User),
        request_id is None or Change.request_id == request_id,
        since is None or Change.at >= since,
        until is None or Change.at < until,
    ]
    return select(Change).where(*(each for each in wanted if each is not True)).order_by(Change.id.desc())
