"""QuickBooks through Intuit's OAuth client and python-quickbooks: both block, so each call runs in a thread, and only jobs call."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import requests
import structlog
from intuitlib.client import AuthClient
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks as Company
from quickbooks.exceptions import AuthorizationException, QuickbooksException
from quickbooks.objects.base import EmailAddress, Ref
from quickbooks.objects.customer import Customer
from quickbooks.objects.detailline import SalesItemLine, SalesItemLineDetail
from quickbooks.objects.item import Item
from quickbooks.objects.refundreceipt import RefundReceipt
from quickbooks.objects.salesreceipt import SalesReceipt
from requests.adapters import BaseAdapter
from requests_oauthlib import OAuth2Session

from errors import Conflict, Unavailable
from settings import Settings

T = TypeVar("T")
MINOR_VERSION = 75
TIMEOUT = (3, 15)
REDIRECT = "http://localhost/"
"""Asked for by the client, used only where a person connects the company."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Sold:
    """A line of a receipt: an item of ours under QuickBooks' id."""

    item: str
    description: str
    amount: Decimal
    tax_code: str


class QuickBooks:
    """One company's books; every write carries a request id, under which Intuit does a thing only once."""

    def __init__(self, settings: Settings, transport: BaseAdapter | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._company: Company | None = None
        self._turn = threading.Lock()
        self.refresh_token = settings.quickbooks_refresh_token.get_secret_value() or "first"

    async def add_customer(self, name: str, email: str | None, request_id: str) -> str:
        """The id of a customer."""

        def work(company: Company) -> str:
            customer = Customer()
            customer.DisplayName = name
            if email:
                customer.PrimaryEmailAddr = EmailAddress()
                customer.PrimaryEmailAddr.Address = email
            return str(customer.save(qb=company, request_id=request_id).Id)

        return await self._call(work)

    async def add_item(self, name: str, request_id: str) -> str:
        """The id of something that is sold."""

        def work(company: Company) -> str:
            item = Item()
            item.Name, item.Type = name, "Service"
            item.IncomeAccountRef = _ref(self._settings.quickbooks_income_account)
            return str(item.save(qb=company, request_id=request_id).Id)

        return await self._call(work)

    async def add_sale(self, number: str, on: date, customer: str, lines: Sequence[Sold], currency: str, request_id: str) -> str:
        """The id of a sales receipt."""
        return await self._call(lambda company: self._receipt(SalesReceipt(), company, number, on, customer, lines, currency, request_id))

    async def add_refund(self, number: str, on: date, customer: str, lines: Sequence[Sold], currency: str, request_id: str) -> str:
        """The id of a refund receipt."""
        return await self._call(lambda company: self._receipt(RefundReceipt(), company, number, on, customer, lines, currency, request_id))

    def _receipt(
        self, made: Any, company: Company, number: str, on: date, customer: str, lines: Sequence[Sold], currency: str, request_id: str
    ) -> str:
        made.DocNumber, made.TxnDate, made.GlobalTaxCalculation = number, on.isoformat(), "TaxInclusive"
        made.CustomerRef, made.CurrencyRef = _ref(customer), _ref(currency)
        made.DepositToAccountRef = _ref(self._settings.quickbooks_deposit_account)
        made.Line = [_line(place, each) for place, each in enumerate(lines, start=1)]
        return str(made.save(qb=company, request_id=request_id).Id)

    async def _call(self, work: Callable[[Company], T]) -> T:
        return await asyncio.to_thread(self._do, work)

    def _do(self, work: Callable[[Company], T]) -> T:
        """Once more with a new token where the old one has ended; refusals are Conflict, everything else is Unavailable."""
        with self._turn:
            try:
                try:
                    return work(self._connected())
                except AuthorizationException:
                    self._company = None
                    return work(self._connected())
            except (AuthorizationException, AuthClientError) as error:
                self._company = None
                raise Unavailable("QuickBooks does not let us in; connect the company anew.") from error
            except requests.RequestException as error:
                self._company = None
                log.warning("quickbooks.unavailable", kind=type(error).__name__)
                raise Unavailable("QuickBooks does not answer.") from error
            except QuickbooksException as error:
                if error.error_code >= 10_000 or error.error_code in (3001, 3200):
                    raise Unavailable(f"QuickBooks cannot do it now: {error.message}") from error
                raise Conflict(f"{error.message} {error.detail}".strip()) from error

    def _connected(self) -> Company:
        if self._company is None:
            auth = _Auth(self._settings, self._transport)
            auth.refresh(refresh_token=self.refresh_token)
            self.refresh_token = auth.refresh_token
            self._company = _Company(
                auth_client=auth, refresh_token=auth.refresh_token, company_id=self._settings.quickbooks_company, minorversion=MINOR_VERSION
            )
            self._company.session = _Session(self._settings, auth, self._transport)
        return self._company


class _Patient(requests.Session):
    """A session that waits only so long, and in a demo speaks to the simulator."""

    _atrium_transport: BaseAdapter | None = None

    def get_adapter(self, url: str) -> BaseAdapter:
        return self._atrium_transport or super().get_adapter(url)

    def request(self, method: str, url: str, *given: Any, **named: Any) -> requests.Response:  # type: ignore[override]
        named.setdefault("timeout", TIMEOUT)
        return super().request(method, url, *given, **named)


class _Auth(_Patient, AuthClient):  # type: ignore[misc]  # untyped libraries
    def __init__(self, settings: Settings, transport: BaseAdapter | None) -> None:
        self._atrium_transport = transport
        secret = settings.quickbooks_client_secret.get_secret_value()
        AuthClient.__init__(self, settings.quickbooks_client_id or "demo", secret, REDIRECT, settings.quickbooks_environment)


class _Session(_Patient, OAuth2Session):  # type: ignore[misc]  # untyped libraries
    def __init__(self, settings: Settings, auth: AuthClient, transport: BaseAdapter | None) -> None:
        self._atrium_transport = transport
        token = {"access_token": auth.access_token, "refresh_token": auth.refresh_token, "token_type": "bearer"}
        OAuth2Session.__init__(self, settings.quickbooks_client_id or "demo", token=token)


class _Company(Company):  # type: ignore[misc]  # untyped libraries
    def _start_session(self) -> str:
        return str(self.auth_client.refresh_token)  # the session is ours, with a time-out


def _ref(value: str) -> Ref:
    ref = Ref()
    ref.value = value
    return ref


def _line(place: int, sold: Sold) -> SalesItemLine:
    line = SalesItemLine()
    line.LineNum, line.Description, line.Amount = place, sold.description, sold.amount
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef, line.SalesItemLineDetail.TaxCodeRef = _ref(sold.item), _ref(sold.tax_code)
    return line
