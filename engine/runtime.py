"""Everything that one process has open: the database, the engine, the outside world."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from starlette.types import Scope

from engine.authority import Authority
from engine.execute import Engine
from engine.persisted import Persisted
from engine.seats import Seats
from gateways.all import Gateways, open_gateways
from models.database import Database
from resolvers.context import Context
from resolvers.operations import perform
from resolvers.stripe_webhooks import handle_stripe_webhook
from settings import Settings
from subscriptions.bus import Bus
from subscriptions.stream import EventStream


@dataclass
class Runtime:
    """The parts of a running process, as the doors use them."""

    settings: Settings
    database: Database
    gateways: Gateways
    engine: Engine
    raw_engine: Engine
    stream: EventStream
    persisted: Persisted
    authority: Authority
    seats: Seats = field(default_factory=Seats)

    def __post_init__(self) -> None:
        self._blank = Context(
            settings=self.settings,
            database=self.database,
            gateways=self.gateways,
            wake=self.stream.wake,
            forget=self.authority.forget,
        )

    def context(self, *, request_id: str, address: str, door: str = "graphql", idempotency_key: str | None = None) -> Context:
        """A request's context, before it is known who asks."""
        return self._blank.but(
            request_id=request_id, address=address, door=door, idempotency_key=idempotency_key, loaders={}, quotas={}, done={}
        )


@asynccontextmanager
async def running(settings: Settings, database_url: str) -> AsyncIterator[Runtime]:
    """Open everything, and close it in the end."""
    opened: asyncio.Future[Runtime] = asyncio.get_running_loop().create_future()
    # Whatever can be wrong with schema or manifest is found before anything is open.
    engine, raw_engine = Engine(settings), Engine(settings, raw=True)
    persisted = Persisted(settings, engine.documents)

    async def deliver(body: bytes, headers: Mapping[str, str]) -> None:
        """The simulated Stripe calls the door that the real one would."""
        ctx = (await opened).context(request_id=f"req_{uuid4().hex}", address="stripe", door="stripe")
        await perform(handle_stripe_webhook, ctx, {"body": body, "signature": headers["Stripe-Signature"]})

    async with (
        Database(database_url, settings) as database,
        Bus(settings.broadcast_url or database_url) as bus,
        EventStream(database, bus) as stream,
        Authority(database, settings, stream, bus) as authority,
        open_gateways(settings, database, deliver_to_stripe_door=deliver) as gateways,
    ):
        opened.set_result(
            Runtime(
                settings=settings,
                database=database,
                gateways=gateways,
                engine=engine,
                raw_engine=raw_engine,
                stream=stream,
                persisted=persisted,
                authority=authority,
            )
        )
        yield opened.result()


def runtime_of(scope: Scope) -> Runtime:
    """The runtime of the app that a request came to."""
    runtime: Runtime = scope["app"].state.runtime
    return runtime
