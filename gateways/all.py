"""The lines to the outside world, opened together: real services, or their simulators in demo mode."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from gateways.crm import Crm
from gateways.devices import BrokerAddress, Devices
from gateways.faces import Faces
from gateways.files import Files
from gateways.google import Google
from gateways.mail import Mailer
from gateways.push import Firebase, open_push
from gateways.quickbooks import QuickBooks
from gateways.simulators.devices import SimulatedDevices
from gateways.simulators.google import GoogleSimulator
from gateways.simulators.quickbooks import SimulatedIntuit
from gateways.simulators.stripe import Deliver, StripeSimulator
from gateways.sms import Texter, open_sms
from gateways.stripe import Stripe
from models.database import Database
from settings import DEMO_SECRETS, Settings


@dataclass
class Simulators:
    """What stands for outside services in demo mode; empty where the real one is used."""

    stripe: StripeSimulator | None = None
    devices: SimulatedDevices | None = None


@dataclass
class Gateways:
    """One attribute per outside service; none where the house has not set one up."""

    stripe: Stripe
    faces: Faces
    files: Files
    google: Google
    devices: Devices | None = None
    mail: Mailer | None = None
    sms: Texter | None = None
    push: Firebase | None = None
    quickbooks: QuickBooks | None = None
    crm: Crm | None = None
    simulators: Simulators = field(default_factory=Simulators)


@asynccontextmanager
async def open_gateways(
    settings: Settings, database: Database, *, deliver_to_stripe_door: Deliver | None = None
) -> AsyncIterator[Gateways]:
    """Open what the settings name; simulated Stripe sends its webhooks to `deliver_to_stripe_door`."""
    simulators = Simulators()
    key, webhook_secret = settings.stripe_secret_key.get_secret_value(), settings.stripe_webhook_secret.get_secret_value()
    async with AsyncExitStack() as stack:
        if settings.is_demo and key == DEMO_SECRETS["stripe_secret_key"]:
            simulators.stripe = await stack.enter_async_context(StripeSimulator(database, key, webhook_secret, deliver_to_stripe_door))
        crm = Crm.of(settings)
        if (broker := BrokerAddress.of(settings)) is None and settings.is_demo:
            simulators.devices = await stack.enter_async_context(SimulatedDevices(database))
            broker = simulators.devices.address
        transport = simulators.stripe.transport() if simulators.stripe else None
        yield Gateways(
            stripe=await stack.enter_async_context(Stripe(key, webhook_secret, transport)),
            faces=await stack.enter_async_context(Faces.of(settings)),
            files=Files(settings),
            devices=await stack.enter_async_context(Devices(broker)) if broker else None,
            google=await stack.enter_async_context(_google(settings)),
            mail=Mailer(settings) if settings.smtp_host else None,
            sms=await stack.enter_async_context(open_sms(settings)),
            push=await stack.enter_async_context(open_push(settings)),
            quickbooks=_quickbooks(settings),
            crm=await stack.enter_async_context(crm) if crm else None,
            simulators=simulators,
        )


def _quickbooks(settings: Settings) -> QuickBooks | None:
    """Intuit's, its simulator in a demo without an application's id, or none."""
    if not settings.has_quickbooks:
        return None
    return QuickBooks(settings, None if settings.quickbooks_client_id else SimulatedIntuit())


def _google(settings: Settings) -> Google:
    """Google itself for whom it knows; in demo mode its simulator otherwise."""
    if settings.google_client_id or not settings.is_demo:
        return Google(settings.google_client_id)
    simulator = GoogleSimulator()
    return Google(simulator.client_id, simulator.transport(), simulator.exchange)
