"""The outside world as operations reach it: ctx.gateways.<name>."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateways.devices import Devices
from gateways.mail import Mailer
from gateways.simulators.devices import SimulatedDevices
from models.database import Database
from settings import Settings


@dataclass
class Gateways:
    """One attribute per gateway; none where the house has not set one up."""

    devices: Devices | None = None
    mail: Mailer | None = None


@asynccontextmanager
async def open_gateways(settings: Settings, database: Database) -> AsyncIterator[Gateways]:
    """Gateways for as long as the process serves; in demo mode simulators stand behind them."""
    async with AsyncExitStack() as stack:
        devices = await stack.enter_async_context(Devices(SimulatedDevices(database))) if settings.is_demo else None
        mail = Mailer(settings) if settings.smtp_host else None
        yield Gateways(devices, mail)
