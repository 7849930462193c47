"""What an operation costs in points: one for each object that it could answer, ten for each thing that it does."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from engine.limits import INTROSPECTION
from engine.pages import LARGEST, USUAL
from errors import ApiError
from resolvers.context import Context
from resolvers.limits import Quota, spend

WRITE = 10
"""Points of one mutation field."""
LISTED = 10
"""Rows that a list without pages is taken to have."""
SIZES = ("first", "last", "perPage")
SCHEMA = 100
"""Points of looking at the schema."""
WINDOW = 60
NAME = "cost"
FREE = ("PageInfo",)

Sum = Counter[str | None]
"""Points that are certain, under None, and points for each row that a variable asks for, under its name."""


class CostExceeded(ApiError):
    """The operation costs more points than the caller has left in this minute, or than any operation may."""

    code, status, message = "COST_EXCEEDED", 429, "The operation costs more points than are left. Ask for less, or try again later."


class Price:
    """The points of one operation, as far as its text decides them."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        self._known: dict[str, Sum] = {}
        self._defaults = {
            each.variable.name.value: int(each.default_value.value) if isinstance(each.default_value, IntValueNode) else USUAL
            for each in operation.variable_definitions or ()
        }
        points = self._points(operation.selection_set, schema.get_root_type(operation.operation))
        if operation.operation is OperationType.MUTATION:
            points[None] += WRITE * len(operation.selection_set.selections)
        self._certain = points.pop(None, 0)
        self._per_row = {name: each for name, each in points.items() if name is not None}

    def with_variables(self, given: Mapping[str, Any]) -> int:
        """The points for these variables."""
        total = self._certain
        for name, points in self._per_row.items():
            total += points * _rows(given.get(name, self._defaults.get(name, USUAL)))
        return max(1, total)

    def _points(self, selection_set: SelectionSetNode, parent: Any) -> Sum:
        total: Sum = Counter()
        for each in selection_set.selections:
            if isinstance(each, FieldNode):
                total += self._field(each, parent)
            elif isinstance(each, FragmentSpreadNode):
                total += self._fragment(each.name.value)
            else:
                condition = each.type_condition  # type: ignore[attr-defined]
                inner = self._schema.get_type(condition.name.value) if condition else parent
                total += self._points(each.selection_set, inner)  # type: ignore[attr-defined]
        return total

    def _fragment(self, name: str) -> Sum:
        if name not in self._known:
            self._known[name] = Counter()  # a cycle is refused elsewhere
            fragment = self._fragments[name]
            self._known[name] = self._points(fragment.selection_set, self._schema.get_type(fragment.type_condition.name.value))
        return self._known[name]

    def _field(self, node: FieldNode, parent: Any) -> Sum:
        field = self._schema.get_field(parent, node.name.value)
        if field is None or node.selection_set is None:
            return Counter()
        kind = get_named_type(field.type)
        if node.name.value in INTROSPECTION:
            return Counter({None: SCHEMA})
        if not is_composite_type(kind) or kind.name in FREE:
            return Counter()
        inner = self._points(node.selection_set, kind)
        if kind.name.endswith("Connection"):
            return _times(inner, self._asked(node))
        if not kind.name.endswith("Edge"):
            inner[None] += 1
        is_list = is_list_type(get_nullable_type(field.type)) and not parent.name.endswith("Connection")
        return _times(inner, LISTED) if is_list else inner

    def _asked(self, node: FieldNode) -> int | str:
        """How many rows are asked for: a number, or the variable that says so."""
        for each in node.arguments or ():
            if each.name.value in SIZES:
                if isinstance(each.value, VariableNode):
                    return each.value.name.value
                if isinstance(each.value, IntValueNode):
                    return _rows(int(each.value.value))
        return USUAL


def _times(points: Sum, factor: int | str) -> Sum:
    if isinstance(factor, int):
        return Counter({name: each * factor for name, each in points.items()})
    # A page inside of a page that a variable sizes is taken to be as large as it may be.
    return Counter({factor: sum(each * (LARGEST if name else 1) for name, each in points.items())})


def _rows(asked: Any) -> int:
    return min(max(asked, 1), LARGEST) if isinstance(asked, int) else USUAL


def told(quota: Quota) -> dict[str, int]:
    """What a client is told of its budget when it asks for extensions.cost."""
    return {"requested": quota.requested, "remaining": quota.remaining, "limit": quota.limit, "resetSeconds": quota.seconds}


async def charge(ctx: Context, points: int) -> None:
    """Take an operation's points from the caller's budget of this minute; CostExceeded when they do not suffice."""
    settings = ctx.settings
    if points > settings.max_cost:
        raise CostExceeded("The operation costs more points than any may.", details={"requested": points, "maximum": settings.max_cost})
    budget = settings.cost_budget if ctx.viewer.user_id else settings.cost_budget_strangers
    quota = await spend(ctx, NAME, budget, WINDOW, points=points)
    if quota.is_exceeded:
        raise CostExceeded(details={"requested": points, "remaining": quota.remaining, "retry_after": quota.seconds})
