"""Devices that take pushes: registered by whoever is signed in on them, and gone with that sign-in."""

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from errors import BadUserInput, Conflict, NotFound
from models.identity import User
from models.keys import Key
from models.notifications import PushDevice, PushPlatform
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.values import parse_text
from resolvers.operations import SIGNED_IN, allow

MOST = 20
LONGEST_TOKEN, LONGEST_NAME = 4096, 100


@allow(SIGNED_IN)
def list_my_push_devices(ctx: Context) -> Select[PushDevice]:
    """The viewer's devices that take pushes, newest first."""
    return select(PushDevice).where(PushDevice.user_id == ctx.viewer.id).order_by(PushDevice.id.desc())


@allow(SIGNED_IN)
async def register_push_device(ctx: Context, *, push_token: str, platform: PushPlatform, name: str = "") -> PushDevice:
    """Have pushes sent to the device that Firebase knows by this token, until this session ends; it leaves whoever had it before."""
    token = parse_text(push_token, "push_token", longest=LONGEST_TOKEN)
    if not token:
        raise BadUserInput(push_token="This is not a token.")  # noqa: S106 - a sentence
    about = {
        "user_id": ctx.viewer.id,
        "platform": platform,
        "name": parse_text(name, "name", longest=LONGEST_NAME),
        "session": ctx.viewer.session,
    }
    async with ctx.writing() as db:
        await db.get_one(User, ctx.viewer.id, with_for_update={"key_share": True})  # so that parallel calls count each other
        row = insert(PushDevice).values(token=token, **about)
        taken = row.on_conflict_do_update(index_elements=["token"], set_=about).returning(PushDevice)
        device: PushDevice = (await db.scalars(taken, execution_options={"populate_existing": True})).one()
        held = await db.scalar(select(func.count()).where(PushDevice.user_id == ctx.viewer.id))
        if (held or 0) > MOST:
            raise Conflict(f"At most {MOST} devices take pushes.")
        answers(db, device)
    return device


@allow(SIGNED_IN)
async def remove_push_device(ctx: Context, *, id: Key[PushDevice]) -> list[PushDevice]:
    """Have no more pushes sent to a device; answers the devices that are left."""
    async with ctx.writing() as db:
        gone = delete(PushDevice).where(id.names(PushDevice), PushDevice.user_id == ctx.viewer.id).returning(PushDevice.id)
        if await db.scalar(gone, execution_options={"synchronize_session": False}) is None:
            raise NotFound
        left = list(await db.scalars(list_my_push_devices(ctx)))
        answers(db, left)
    return left
