"""The test payment methods that Stripe publishes, and what happens to each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """Why a card is refused, in Stripe's words."""

    code: str
    message: str
    reason: str | None = None


@dataclass(frozen=True)
class TestCard:
    """A card that does not exist: how it looks, whether it asks its owner, whether it pays, and whether its owner wants the money back."""

    __test__ = False  # or pytest would take it for a test

    brand: str
    last4: str
    decline: Decline | None = None
    asks: bool = False
    asks_once: bool = False
    disputed_as: str | None = None
    funding: str = "credit"


GENERIC = Decline("card_declined", "Your card was declined.", "generic_decline")
NO_FUNDS = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds")
NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)
NOBODY_TO_ASK = Decline(
    "authentication_required", "Your card was declined. This transaction requires authentication.", "authentication_required"
)

CARDS = {
    "pm_card_visa": TestCard("visa", "4242"),
    "pm_card_visa_debit": TestCard("visa", "5556", funding="debit"),
    "pm_card_mastercard": TestCard("mastercard", "4444"),
    "pm_card_mastercard_debit": TestCard("mastercard", "8210", funding="debit"),
    "pm_card_mastercard_prepaid": TestCard("mastercard", "5100", funding="prepaid"),
    "pm_card_amex": TestCard("amex", "0005"),
    "pm_card_discover": TestCard("discover", "1117"),
    "pm_card_diners": TestCard("diners", "0004"),
    "pm_card_jcb": TestCard("jcb", "0505"),
    "pm_card_unionpay": TestCard("unionpay", "0005"),
    "pm_card_chargeDeclined": TestCard("visa", "0002", GENERIC),
    "pm_card_visa_chargeDeclined": TestCard("visa", "0002", GENERIC),
    "pm_card_chargeDeclinedInsufficientFunds": TestCard("visa", "9995", NO_FUNDS),
    "pm_card_visa_chargeDeclinedInsufficientFunds": TestCard("visa", "9995", NO_FUNDS),
    "pm_card_chargeDeclinedLostCard": TestCard("visa", "9987", Decline("card_declined", GENERIC.message, "lost_card")),
    "pm_card_visa_chargeDeclinedLostCard": TestCard("visa", "9987", Decline("card_declined", GENERIC.message, "lost_card")),
    "pm_card_chargeDeclinedStolenCard": TestCard("visa", "9979", Decline("card_declined", GENERIC.message, "stolen_card")),
    "pm_card_visa_chargeDeclinedStolenCard": TestCard("visa", "9979", Decline("card_declined", GENERIC.message, "stolen_card")),
    "pm_card_chargeDeclinedFraudulent": TestCard("visa", "0019", Decline("card_declined", GENERIC.message, "fraudulent")),
    "pm_card_chargeDeclinedExpiredCard": TestCard("visa", "0069", Decline("expired_card", "Your card has expired.", "expired_card")),
    "pm_card_chargeDeclinedIncorrectCvc": TestCard(
        "visa", "0127", Decline("incorrect_cvc", "Your card's security code is incorrect.", "incorrect_cvc")
    ),
    "pm_card_chargeDeclinedProcessingError": TestCard(
        "visa",
        "0119",
        Decline("processing_error", "An error occurred while processing your card. Try again in a little bit.", "processing_error"),
    ),
    "pm_card_chargeCustomerFail": TestCard("visa", "0341", GENERIC),
    "pm_card_authenticationRequired": TestCard("visa", "3184", asks=True),
    "pm_card_authenticationRequiredOnSetup": TestCard("visa", "3155", asks=True, asks_once=True),
    "pm_card_authenticationRequiredSetupForOffSession": TestCard("visa", "0446", asks_once=True),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": TestCard("visa", "3178", NO_FUNDS, asks=True),
    "pm_card_threeDSecure2Required": TestCard("visa", "3220", asks=True),
    "pm_card_createDispute": TestCard("visa", "0259", disputed_as="fraudulent"),
    "pm_card_createDisputeProductNotReceived": TestCard("visa", "2685", disputed_as="product_not_received"),
    "pm_card_threeDSecureOptional": TestCard("visa", "3055"),
}
