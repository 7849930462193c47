"""Telling many at once: subscriptions that ask the same share one reader of the log, and each event is read and written once for all
who get the same of it. Who may see what is decided by watching how the answer came about, see engine/observing.py.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from graphql import SKIP, DocumentNode, OperationDefinitionNode, VariableNode, Visitor, visit

from engine.answers import Answer, written
from engine.observing import fact, observed
from engine.watching import Watch, ask_anew
from errors import Unavailable
from resolvers.context import Context
from subscriptions.log import Cursor, Record
from subscriptions.stream import EventStream

PAUSE_SECONDS = 1.0
AT_ONCE = 32
"""Answers for different people that are read at once for one event."""
STEP = 200
"""Readers that are written to before others of the process have a turn."""

Answering = Callable[[Context, Any], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Told:
    """One event as its readers get it."""

    body: bytes
    cursor: str
    codes: list[str]
    """Of the errors in it."""


class Listener(Protocol):
    """Whoever carries events to one client."""

    def tell(self, told: Told) -> bool:
        """Take an event without waiting; false when so much waits that it cannot."""

    async def wait_and_tell(self, told: Told) -> None:
        """Take an event once there is room for it."""


class Subscription:
    """One client's subscription: alone until it has read what the log holds, then with all who asked the same."""

    def __init__(self, audiences: "Audiences", question: str, watch: Watch, answering: Answering) -> None:
        self._audiences = audiences
        self._question = question
        self.watch = watch
        self.answering = answering
        self.listener: Listener
        self.left: asyncio.Future[None]

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for those who asked the same of the same events."""
        following = self.watch.following
        return (self._question, following.topics, following.show, self.watch.watcher.stream)

    @property
    def shape(self) -> tuple[Any, ...]:
        """What decides on the answer even where nobody looks at the person."""
        viewer = self.watch.watcher.ctx.viewer
        return (viewer.roles, viewer.user_id is None)

    async def run(self, listener: Listener) -> None:
        """Tell what happens, without end; raises what ends it. While the log cannot be read it waits, and goes on from there."""
        self.listener = listener
        while True:
            try:
                async for ctx, record in self.watch:
                    told = await self.shown(ctx, record)
                    if told is not None:
                        await listener.wait_and_tell(told)
                # Nothing was awaited since there was nothing left to read, so whatever comes after is told to the audience.
                await self._audiences.join(self)
            except Unavailable:
                await asyncio.sleep(PAUSE_SECONDS)

    async def shown(self, ctx: Context, record: Record) -> Told | None:
        """An event as it is seen in a context; none where it is not meant for this subscription."""
        event = self.watch.following.show(ctx, record)
        if event is None:
            return None
        body = (await self.answering(ctx, event)).body(ctx)
        codes = [each["extensions"]["code"] for each in body.get("errors", ())]
        return Told(written(body), str(record.cursor), codes)


class Audience:
    """Subscriptions that ask the same of the same topics, all told up to one place of the log."""

    def __init__(self, key: tuple[Any, ...], stream: EventStream, topics: frozenset[str], cursor: Cursor) -> None:
        self.key = key
        self.members: dict[Subscription, None] = {}
        self.cursor = cursor
        self._stream = stream
        self._topics = topics
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._stream.follow(self._topics, self.cursor)) as records:
                    async for record in records:
                        # First, since whoever joins while it is told has read it from the log.
                        self.cursor = record.cursor
                        await self._tell(record)
            except Unavailable:
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:  # whatever ends it ends it for all, who tell their clients
                for each in tuple(self.members):
                    self.dismiss(each, error)
                return

    def dismiss(self, member: Subscription, error: BaseException | None = None) -> None:
        """Let somebody go, with an error, or to go on from the log alone."""
        if member not in self.members:
            return
        del self.members[member]
        if not member.left.done():
            if error is None:
                member.left.set_result(None)
            else:
                member.left.set_exception(error)

    def _is_owed(self, member: Subscription, record: Record) -> bool:
        return member in self.members and member.watch.cursor < record.cursor

    async def _tell(self, record: Record) -> None:
        sure: list[Subscription] = []
        unsure: list[Subscription] = []
        for each in self.members:
            if self._is_owed(each, record):
                (sure if each.watch.is_sure else unsure).append(each)
        await self._tell_all(record, sure)
        if unsure:
            await self._tell_all(record, await self._asked(unsure))

    async def _asked(self, members: Sequence[Subscription]) -> list[Subscription]:
        """Those who may still follow the same, now that they were asked for; the others are dismissed."""
        try:
            await ask_anew(each.watch.watcher for each in members)
        except Unavailable as error:
            for each in members:
                self.dismiss(each, error)
            return []
        found: list[Subscription] = []
        for each in members:
            if each not in self.members:
                continue
            try:
                await each.watch.ask()
            except Exception as error:  # told to the client of this one
                self.dismiss(each, error)
                continue
            if each.key == self.key:
                found.append(each)
            else:
                self.dismiss(each)
        return found

    async def _tell_all(self, record: Record, members: Sequence[Subscription]) -> None:
        alike: defaultdict[Any, list[Subscription]] = defaultdict(list)
        for each in members:
            alike[each.shape].append(each)
        for shape, group in alike.items():
            await self._tell_alike(record, shape, group)

    async def _tell_alike(self, record: Record, shape: Any, group: Sequence[Subscription]) -> None:
        """Tell people of the same roles: all at once if nothing depends on who they are, else those together who share what counts."""
        first = next((each for each in group if each.shape == shape), None)
        if first is None:
            await self._deliver(record, shape, None, group)
            return
        ctx, facts = observed(first.watch.watcher.known())
        told: Told | Exception | None
        try:
            told = await first.shown(ctx, record)
        except Exception as error:  # told to the clients, as is whatever else becomes of an event
            told = error
        if not facts:
            await self._deliver(record, shape, told, group)
            return
        names = sorted(facts)
        parts: defaultdict[Any, list[Subscription]] = defaultdict(list)
        for each in (other for other in group if other is not first):
            parts[tuple(fact(each.watch.watcher.ctx, name) for name in names)].append(each)
        same = parts.pop(tuple(facts[name] for name in names), [])
        await self._deliver(record, shape, told, [first, *same])
        others = list(parts.values())
        for at in range(0, len(others), AT_ONCE):
            await asyncio.gather(*[self._tell_alike(record, shape, each) for each in others[at : at + AT_ONCE]])

    async def _deliver(self, record: Record, shape: Any, told: Told | Exception | None, members: Sequence[Subscription]) -> None:
        """Hand an answer to those for whom it was made; who has got other roles meanwhile reads the event alone."""
        for number, each in enumerate(members):
            if number % STEP == STEP - 1:
                await asyncio.sleep(0)
            if not self._is_owed(each, record):
                continue
            if each.shape != shape:
                self.dismiss(each)
            elif told is None or not each.watch.is_meant(record):
                each.watch.cursor = record.cursor
            elif isinstance(told, Exception):
                self.dismiss(each, told)
            elif each.listener.tell(told):
                each.watch.cursor = record.cursor
            else:
                self.dismiss(each)


class Audiences:
    """Every audience of one engine."""

    def __init__(self) -> None:
        self._open: dict[tuple[Any, ...], Audience] = {}

    async def join(self, member: Subscription) -> None:
        """Be told with the others, until one cannot be any more; to be called where the member has read all that there is to read."""
        key, watch = member.key, member.watch
        audience = self._open.get(key)
        if audience is None or audience.task.done():
            audience = Audience(key, watch.watcher.stream, watch.following.topics, watch.cursor)
            self._open[key] = audience
        member.left = asyncio.get_running_loop().create_future()
        audience.members[member] = None
        try:
            await member.left
        finally:
            audience.members.pop(member, None)
            if not audience.members and self._open.get(key) is audience:
                del self._open[key]
                audience.task.cancel()

    def size(self, topic: str) -> int:
        """How many are told of a topic."""
        return sum(len(each.members) for each in self._open.values() if topic in each.key[1])


def question(text: str, operation_name: str | None, variables: dict[str, Any] | None, place: str | None) -> str:
    """What is asked, equal for those who ask the same; the variable that says from which place on does not count."""
    kept = {name: value for name, value in (variables or {}).items() if name != place}
    return json.dumps([text, operation_name, kept], sort_keys=True)


def place_variable(document: DocumentNode, operation: OperationDefinitionNode) -> str | None:
    """The variable that says from which place on to follow, if it says nothing else."""
    [root, *_] = operation.selection_set.selections
    given = getattr(root, "arguments", None) or ()
    name = next((each.value.name.value for each in given if each.name.value == "after" and isinstance(each.value, VariableNode)), None)
    uses = Uses(name)
    visit(document, uses)
    return name if uses.count == 1 else None


class Uses(Visitor):
    """Counts where a variable stands, apart from where it is declared."""

    def __init__(self, name: str | None) -> None:
        super().__init__()
        self._name = name
        self.count = 0

    def enter_variable_definition(self, *_: Any) -> Any:
        """Nothing in a declaration is a use."""
        return SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Count one."""
        self.count += node.name.value == self._name
