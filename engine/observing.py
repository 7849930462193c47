"""Finding out whether an answer depends on who gets it: whoever computes it is watched while doing so.

What was computed without a look at any fact about a person is the same for all people of the same roles, since nothing that it was
computed from differs. What looked at some facts is the same for people who share these facts. Facts that are not known here belong to
one connection alone.
"""

from dataclasses import fields
from typing import Any

from resolvers.context import Context, Viewer

Facts = dict[str, Any]

PERSONAL = frozenset(each.name for each in fields(Viewer)) - {"roles"}
"""What of a viewer tells people of the same roles apart."""
LOCAL = frozenset({"address", "door", "language"})
"""What of a request tells connections of the same person apart."""
COMMON = frozenset(
    {"settings", "database", "gateways", "viewer", "loaders", "done", "longest_page", "longest_list", "now", "moment", "fetch"}
)
"""What is the same for all requests, or made anew for each computation."""
TRACING = frozenset({"request_id", "wake"})
"""What names a computation and does not enter its result."""
ALONE = "alone"
"""The fact that nobody shares."""


class ObservedViewer(Viewer):
    """A viewer that notes which facts about the person are looked at; the roles are no such fact."""

    __slots__ = ("facts",)
    facts: Facts

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in PERSONAL:
            super().__getattribute__("facts")[name] = value
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Viewer) and _plain(self) == _plain(other)

    def __hash__(self) -> int:
        return hash(_plain(self))


def _plain(viewer: Viewer) -> tuple[Any, ...]:
    return tuple(getattr(viewer, each.name) for each in fields(Viewer))


class ObservedContext(Context):
    """A context that notes which facts about its person and connection are looked at."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in COMMON and name not in TRACING and not name.startswith("__"):
            facts: Facts = super().__getattribute__("__dict__")["viewer"].__getattribute__("facts")
            facts[name if name in LOCAL else ALONE] = value if name in LOCAL else object()
        return value


def observed(ctx: Context) -> tuple[Context, Facts]:
    """The same context, and the account of what is looked at in it."""
    facts: Facts = {}
    viewer = object.__new__(ObservedViewer)
    object.__setattr__(viewer, "facts", facts)
    for each in fields(Viewer):
        object.__setattr__(viewer, each.name, getattr(ctx.viewer, each.name))
    watched = object.__new__(ObservedContext)
    watched.__dict__.update(ctx.__dict__, viewer=viewer)
    return watched, facts


def fact(ctx: Context, name: str) -> Any:
    """What another context says to a fact that was looked at."""
    if name == ALONE:
        return object()
    return getattr(ctx.viewer if name in PERSONAL else ctx, name)
