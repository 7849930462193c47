"""Operations: functions with a permission beside their name, and the one way in which they are run."""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Any

from errors import ApiError, Forbidden, Unauthenticated, Unavailable
from models.identity import STAFF, Role
from models.refusals import DoneByTwin, TryAgain
from resolvers.context import Context, Viewer
from resolvers.idempotency import Call, Replayed
from resolvers.turns import turn

RETRIES = 8


class Everyone(Enum):
    """Who may call beside the holders of named roles."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    KIOSK = "kiosk"
    CRM = "crm"


ANYONE, SIGNED_IN, KIOSK, CRM = Everyone.ANYONE, Everyone.SIGNED_IN, Everyone.KIOSK, Everyone.CRM
STAFF_ROLES = tuple(sorted(STAFF))


@dataclass(frozen=True)
class Operation:
    """A function of the domain with who may call it. Calling it skips the permission: only other operations do."""

    function: Callable[..., Any]
    who: frozenset[Role | Everyone]
    is_sensitive: bool
    is_one_transaction: bool = False

    @property
    def name(self) -> str:
        """Its name in the code; GraphQL's is derived from it."""
        return str(getattr(self.function, "__name__", ""))

    @property
    def description(self) -> str:
        """What it does, in one sentence."""
        return inspect.getdoc(self.function) or ""

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its arguments, without the context."""
        found = dict(inspect.signature(self.function, eval_str=True).parameters)
        found.pop("ctx")
        return MappingProxyType(found)

    @cached_property
    def is_select(self) -> bool:
        """Whether it only says which rows, and leaves reading them to the engine."""
        return not inspect.iscoroutinefunction(self.function)

    def __call__(self, ctx: Context, **arguments: Any) -> Any:
        return self.function(ctx, **arguments)

    def admit(self, viewer: Viewer) -> None:
        """Let the viewer in, or raise Unauthenticated or Forbidden."""
        if ANYONE in self.who:
            return
        if viewer.user_id is None:
            if viewer.kiosk_id is None and viewer.program is None:
                raise Unauthenticated
            if (KIOSK if viewer.program is None else Everyone(viewer.program)) not in self.who:
                raise Forbidden
            return
        if SIGNED_IN not in self.who and not viewer.roles & self.who:
            raise Forbidden


def allow(*who: Role | Everyone, sensitive: bool = False, one_transaction: bool = False) -> Callable[[Callable[..., Any]], Operation]:
    """Make a function an operation for these roles; a sensitive one runs at most once per GraphQL document.

    Of what does nothing but one transaction an idempotency key need not be looked up before: for a repeat, the key's own row ends it.
    """

    def declare(function: Callable[..., Any]) -> Operation:
        return Operation(function, frozenset(who), sensitive, one_transaction)

    return declare


async def perform(operation: Operation, ctx: Context, arguments: dict[str, Any], *, key: str | None = None) -> Any:
    """Run an operation that was admitted: once per idempotency key, and again after a deadlock."""
    if operation.is_select:
        return operation(ctx, **arguments)
    call = Call.of(operation.name, arguments, ctx, key)
    if key is None:
        done = Replayed(await persistently(lambda: operation(call.enter(ctx), **arguments)), was_done=False)
    else:
        async with turn(("call", call.scope, key)):
            found = None if operation.is_one_transaction else await call.find(ctx)
            done = found or await _once(operation, call, ctx, arguments)
    if not done.was_done:
        call.check()
    return done.value


async def _once(operation: Operation, call: Call, ctx: Context, arguments: dict[str, Any]) -> Replayed:
    """Run a call that was not made before; whatever it is refused for, a twin in another process may have done it meanwhile."""
    try:
        return Replayed(await persistently(lambda: operation(call.enter(ctx), **arguments)), was_done=False)
    except (ApiError, DoneByTwin):
        if found := await call.find(ctx):
            return found
        raise


async def persistently(run: Callable[[], Awaitable[Any]]) -> Any:
    """Run again what lost a deadlock; for a last transaction whose operation must not be run again as a whole."""
    for attempt in range(RETRIES):
        try:
            return await run()
        except TryAgain:
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - spreads load, keeps no secret
    raise Unavailable
