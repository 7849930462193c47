"""Whom John brings along: one guest has been here, another is invited."""

from demo.people import ADMIN, JOHN
from demo.world import World
from models.identity import Role
from resolvers.context import Context, Viewer
from resolvers.guest_passes import issue_guest_pass, use_guest_pass
from resolvers.inputs.values import EmailAddress
from resolvers.operations import perform


async def play(ctx: Context, world: World) -> None:
    """Issue two passes, and let one guest in."""
    john = ctx.with_viewer(Viewer(JOHN, frozenset({Role.CUSTOMER})))
    clerk = ctx.with_viewer(Viewer(ADMIN, frozenset({Role.SUPER_ADMIN})))
    been = await perform(issue_guest_pass, john, {"guest_name": "Maria Doe"}, key="demo guest 1")
    await perform(use_guest_pass, clerk, {"code": been.code}, key="demo guest 1 came")
    invited = {"guest_name": "Alex Smith", "guest_email": EmailAddress("alex.smith@example.com")}
    await perform(issue_guest_pass, john, invited, key="demo guest 2")
