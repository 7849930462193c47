"""What strangers write in the forms of the website."""

from enum import StrEnum

import strawberry

from models.forms import FormKind, FormStatus
from resolvers.inputs.values import EmailAddress, PhoneNumber


class FormOrder(StrEnum):
    """In which order forms come.

    NEWEST: Newest first.
    OLDEST: Oldest first.
    """

    NEWEST = "newest"
    OLDEST = "oldest"


@strawberry.input(description="A message to the house.")
class ContactInput:
    """The contact form."""

    name: str = strawberry.field(description="Who writes, at most 150 characters.")
    email: EmailAddress = strawberry.field(description="Where to answer.")
    phone: PhoneNumber | None = strawberry.field(default=None, description="Where to call.")
    message: str = strawberry.field(description="What it is about, at most 5000 characters.")
    source: str = strawberry.field(default="", description="Where the form stands, such as website.")
    website: str = strawberry.field(default="", description="A field that people do not see: what fills it in is a machine.")


@strawberry.input(description="Interest in a membership.")
class MembershipInquiryInput:
    """The form on the membership pages."""

    first_name: str = strawberry.field(description="Given name.")
    last_name: str = strawberry.field(default="", description="Family name.")
    email: EmailAddress = strawberry.field(description="Where to answer.")
    phone: PhoneNumber | None = strawberry.field(default=None, description="Where to call.")
    interested_plan: str = strawberry.field(default="", description="Slug of the plan, such as unlimited.")
    interest_level: str = strawberry.field(default="", description="How much it is wanted, such as high.")
    preferred_services: list[str] | None = strawberry.field(default=None, description="What is liked, 20 at most.")
    how_heard_about_us: str = strawberry.field(default="", description="How the house became known.")
    message: str = strawberry.field(default="", description="Anything else, at most 5000 characters.")
    website: str = strawberry.field(default="", description="A field that people do not see: what fills it in is a machine.")


@strawberry.input(description="Which forms; everything that is given must hold.")
class FormFilter:
    """Conditions on forms."""

    kind: FormKind | None = strawberry.field(default=None, description="This form.")
    status: FormStatus | None = strawberry.field(default=None, description="In this state.")
    search: str | None = strawberry.field(default=None, description="With these letters in name, e-mail address or message.")
