"""What is announced about forms."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.forms import FormSubmission


@dataclass(frozen=True)
class FormFact:
    """Something happened to a form; the staff may know."""

    kind: ClassVar[str]
    form: FormSubmission

    @property
    def topics(self) -> list[str]:
        return ["forms"]

    @property
    def subject_id(self) -> int:
        return self.form.id

    @property
    def data(self) -> dict[str, Any]:
        return {"form": self.form.kind, "status": self.form.status}


@dataclass(frozen=True)
class FormReceived(FormFact):
    """Somebody has sent a form."""

    kind = "form.received"


@dataclass(frozen=True)
class FormHandled(FormFact):
    """The staff did something about a form."""

    kind = "form.handled"
