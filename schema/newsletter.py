"""What clients see of the newsletter, and of consents."""

from datetime import datetime

import strawberry

from models import newsletter as tables
from models.newsletter import ConsentPurpose, ConsentSource, SubscriptionStatus
from resolvers import newsletter
from resolvers.inputs.values import EmailAddress
from schema.fields import Connection, Record, operation, shows


@shows(tables.NewsletterSubscription)
class NewsletterSubscription(Record):
    """An address that was put down for the newsletter; nothing is sent before its reader confirmed it."""

    email: EmailAddress
    first_name: str
    status: SubscriptionStatus
    wanted: list[str]
    confirmed_at: datetime | None
    unsubscribed_at: datetime | None


@shows(tables.MarketingConsent)
class MarketingConsent(Record):
    """An address agreed to mails of one sort; taking it back ends the row, agreeing anew makes another."""

    email: EmailAddress
    purpose: ConsentPurpose
    source: ConsentSource
    given_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: ConsentSource | None


@strawberry.type(description="That a confirmation was asked for.")
class NewsletterAsked:
    """What the newsletter form answers, whether or not the address was known."""

    email: EmailAddress = strawberry.field(description="Where the link is sent that confirms it.")


@strawberry.type(description="What an address has agreed to.")
class NewsletterConfirmed:
    """What confirming answers."""

    email: EmailAddress = strawberry.field(description="The address.")
    purposes: list[ConsentPurpose] = strawberry.field(description="What it agreed to.")


@strawberry.type(description="What an address gets no more of.")
class Unsubscribed:
    """What unsubscribing answers."""

    purposes: list[ConsentPurpose] = strawberry.field(description="What was agreed to before; nothing for who unsubscribed already.")


@strawberry.type
class NewsletterQueries:
    """Reading the list, for the heads of the house."""

    newsletter_subscriptions: Connection[NewsletterSubscription] = operation(newsletter.list_newsletter_subscriptions)
    marketing_consents: Connection[MarketingConsent] = operation(newsletter.list_marketing_consents)


@strawberry.type
class NewsletterMutations:
    """Coming onto the list and leaving it."""

    subscribe_to_newsletter: NewsletterAsked = operation(newsletter.subscribe_to_newsletter)
    confirm_newsletter: NewsletterConfirmed = operation(newsletter.confirm_newsletter)
    unsubscribe: Unsubscribed = operation(newsletter.unsubscribe)
