"""What investors and staff see of the investment portal."""

from datetime import datetime
from decimal import Decimal

import strawberry

from models import investments as tables
from models.investments import ContactMethod, InterestStatus, OpportunityStatus
from resolvers import investment_access, investments
from resolvers.inputs.values import EmailAddress, PhoneNumber
from schema.fields import Connection, Record, column, computed, operation, related, shows
from schema.identity import Person


@shows(tables.InvestmentDocument)
class InvestmentDocument(Record):
    """A document about an opportunity."""

    name: str
    type: str = computed(
        ["file.content_type"], lambda row: investments.TYPES[row["file.content_type"]], "What kind of file it is, such as pdf."
    )
    size_bytes: int | None = column("file.size_bytes")
    url: str = computed(
        ["name", "file.key", "file.content_type"],
        lambda row, ctx: investments.link_to(ctx, row["name"], row["file.key"], row["file.content_type"]),
        "Where it can be read for a few minutes; relative to this server.",
    )


@shows(tables.Opportunity)
class Opportunity(Record):
    """Something that investors may put money into."""

    title: str
    description: str
    minimum_investment: Decimal
    currency: str
    expected_roi: str
    timeline: str
    status: OpportunityStatus
    documents: list[InvestmentDocument] = related("documents")


@shows(tables.InvestmentInterest)
class InvestmentInterest(Record):
    """An investor would like to put money into an opportunity."""

    opportunity: Opportunity = related("opportunity")
    amount: Decimal
    contact_method: ContactMethod
    message: str | None
    status: InterestStatus


@shows(tables.InvestmentInterest)
class InterestCase(Record):
    """An interest as staff see it, with how to reach the investor."""

    opportunity: Opportunity = related("opportunity")
    amount: Decimal
    contact_method: ContactMethod
    message: str | None
    status: InterestStatus
    staff_note: str | None
    investor: Person = related("user")
    email: EmailAddress | None = column("user.email")
    phone: PhoneNumber | None = column("user.phone")


@strawberry.type(description="A document with the address at which it can be read for a while.")
class InvestmentDocumentLink:
    """What asking for a document answers."""

    document: InvestmentDocument = strawberry.field(description="The document.")
    url: str = strawberry.field(description="Where it can be read; relative to this server.")
    expires_at: datetime = strawberry.field(description="Until when.")


@strawberry.type(description="A person, and whether they may see the investment portal.")
class InvestmentAccess:
    """What granting and revoking answer."""

    person: Person = strawberry.field(description="The person.")
    has_access: bool = strawberry.field(description="Whether they may see the portal as an investor.")


@strawberry.type
class InvestmentQueries:
    """Reading the portal."""

    opportunities: Connection[Opportunity] = operation(investments.list_opportunities)
    opportunity: Opportunity = operation(investments.get_opportunity)
    investment_document_link: InvestmentDocumentLink = operation(investments.get_investment_document_link)
    my_investment_interests: Connection[InvestmentInterest] = operation(investments.list_my_investment_interests)
    investment_interests: Connection[InterestCase] = operation(investments.list_investment_interests)
    investors: Connection[Person] = operation(investment_access.list_investors)


@strawberry.type
class InvestmentMutations:
    """Being interested, and keeping the portal."""

    express_interest: InvestmentInterest = operation(investments.express_interest)
    withdraw_interest: InvestmentInterest = operation(investments.withdraw_interest)
    move_interest: InterestCase = operation(investments.move_interest)
    create_opportunity: Opportunity = operation(investments.create_opportunity)
    update_opportunity: Opportunity = operation(investments.update_opportunity)
    move_opportunity: Opportunity = operation(investments.move_opportunity)
    add_investment_document: InvestmentDocument = operation(investments.add_investment_document)
    remove_investment_document: Opportunity = operation(investments.remove_investment_document)
    grant_investment_access: InvestmentAccess = operation(investment_access.grant_investment_access)
    revoke_investment_access: InvestmentAccess = operation(investment_access.revoke_investment_access)
