"""What clients see of forms: whoever sends one a reference, the staff all of it."""

from datetime import datetime

import strawberry

from models import forms as tables
from models.forms import FormKind, FormStatus
from resolvers import forms
from schema.fields import Connection, Record, operation, related, shows
from schema.identity import Person


@shows(tables.FormSubmission)
class FormSubmission(Record):
    """One form that somebody has sent."""

    kind: FormKind
    reference: str
    status: FormStatus
    name: str
    email: str
    phone: str | None
    message: str
    source: str
    interested_plan: str | None
    interest_level: str | None
    preferred_services: list[str]
    heard_about_us: str | None
    note: str
    handled_at: datetime | None
    handled_by: Person | None = related("handled_by")


@strawberry.type(description="That a form arrived.")
class FormAccepted:
    """What sending a form answers."""

    submission_id: str = strawberry.field(description="What can be quoted, such as CONT-2026-001.")


@strawberry.type
class FormQueries:
    """Reading forms, for the staff."""

    form_submissions: Connection[FormSubmission] = operation(forms.list_form_submissions)
    form_submission: FormSubmission = operation(forms.get_form_submission)


@strawberry.type
class FormMutations:
    """Sending forms, and looking after them."""

    submit_contact_form: FormAccepted = operation(forms.submit_contact_form)
    submit_membership_inquiry: FormAccepted = operation(forms.submit_membership_inquiry)
    handle_form_submission: FormSubmission = operation(forms.handle_form_submission)
