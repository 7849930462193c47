"""Amounts as payment providers count them: whole numbers of a currency's smallest unit."""

from decimal import Decimal

ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
WHOLE = ZERO_DECIMAL | {"ISK", "UGX"}
"""Currencies without a smaller unit; of the last two Stripe still counts hundredths, for old clients' sake."""


def decimals(currency: str) -> int:
    """How many decimals the provider counts."""
    code = currency.upper()
    return 0 if code in ZERO_DECIMAL else 3 if code in THREE_DECIMAL else 2


def smallest(currency: str) -> Decimal:
    """The smallest amount that can be charged: 0.01 USD, 1 JPY; amounts are kept with two decimals."""
    return Decimal(1) if currency.upper() in WHOLE else Decimal("0.01")


def to_minor(amount: Decimal, currency: str) -> int:
    """150.00 USD is 15000, 1500 JPY is 1500; ValueError when the currency has no such amount."""
    if amount % smallest(currency):
        raise ValueError(f"{amount} is not an amount of {currency.upper()}")
    return int(amount.scaleb(decimals(currency)))


def from_minor(amount: int, currency: str) -> Decimal:
    """15000 USD is 150.00, 1500 JPY is 1500.00."""
    return Decimal(amount).scaleb(-decimals(currency)).quantize(Decimal("0.01"))
