"""What staff can do in the console: operations, performed as through any other door, so permission and history are the same."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette_admin.exceptions import ActionFailed
from starlette_admin.flash import flash

from engine.guard import check_values
from errors import ApiError, BadUserInput, Forbidden
from models.keys import Key
from resolvers.context import Context
from resolvers.operations import Operation, perform

KEY = "idempotency_key"


@dataclass(frozen=True)
class Wanted:
    """Something that is asked for before an operation runs."""

    name: str
    label: str
    is_required: bool = False
    read: Callable[[str], Any] = str
    choices: Callable[[Any], Iterable[str]] | None = None
    """What a row offers to choose from; anything may be written without it."""


@dataclass(frozen=True)
class Act:
    """One thing to do with a row."""

    operation: Operation
    text: str
    confirmation: str
    wanted: tuple[Wanted, ...] = ()
    argument: str = "id"
    names_row: Callable[[int], Any] = lambda number: Key(number=number)
    suits: Callable[[Any], bool] = lambda row: True
    """Whether it makes sense for a row as it stands; the operation decides in the end."""

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name

    def is_allowed(self, ctx: Context) -> bool:
        """Whether the operation admits the viewer."""
        try:
            self.operation.admit(ctx.viewer)
        except ApiError:
            return False
        return True

    def form(self, _request: Request, row: Any) -> str:
        """What is asked for, with a key of its own, so that a second click does nothing twice."""
        fields = "".join(_field(each, row) for each in self.wanted)
        return f'<form><input type="hidden" name="{KEY}" value="{uuid4()}">{fields}</form>'

    async def run(self, request: Request, number: int) -> None:
        """Perform the operation; what it is refused for is told to the person."""
        ctx: Context = request.state.console
        form = await request.form()
        await request.state.session.close()  # nothing stays open while the operation works, perhaps with a provider
        try:
            self.operation.admit(ctx.viewer)
            arguments = {self.argument: self.names_row(number), **_given(self.wanted, form)}
            await perform(self.operation, ctx, arguments, key=str(form.get(KEY) or "") or None)
        except Forbidden:
            raise ActionFailed("Your role does not allow this.") from None
        except ApiError as refusal:
            raise ActionFailed(" ".join([refusal.message, *refusal.fields.values()])) from refusal
        flash(request, f"{self.text}: done.", "success")


def _field(wanted: Wanted, row: Any) -> str:
    needed = " required" if wanted.is_required else ""
    name = escape(wanted.name)
    about = f'class="form-control" id="act-{name}" name="{name}"{needed}'
    label = f'<label class="form-label" for="act-{name}">{escape(wanted.label)}</label>'
    if wanted.choices:
        words = "".join(f'<option value="{escape(each)}">{escape(each.replace("_", " "))}</option>' for each in sorted(wanted.choices(row)))
        return f'<div class="mb-3">{label}<select {about}>{words}</select></div>'
    return f'<div class="mb-3">{label}<input {about}></div>'


def _given(wanted: tuple[Wanted, ...], form: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in wanted:
        text = str(form.get(each.name) or "").strip()
        if text:
            check_values(text)
            try:
                found[each.name] = each.read(text)
            except ValueError:
                raise BadUserInput(**{each.name: f"{each.label}: this cannot be read."}) from None
        elif each.is_required:
            raise BadUserInput(**{each.name: f"{each.label}: this is needed."})
    return found
