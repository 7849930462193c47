"""What staff look at to run the house."""

from datetime import date

from sqlalchemy import Select, select

from models.admin import EndpointUse
from models.identity import STAFF
from resolvers.context import Context
from resolvers.operations import allow


@allow(*STAFF)
def list_endpoint_uses(ctx: Context, *, system: str | None = None, since: date | None = None) -> Select[EndpointUse]:
    """Which endpoints of older systems were called on which day, by which programs; newest first."""
    found = select(EndpointUse).order_by(EndpointUse.day.desc(), EndpointUse.calls.desc(), EndpointUse.id)
    if system is not None:
        found = found.where(EndpointUse.system == system)
    return found.where(EndpointUse.day >= since) if since is not None else found
