"""Whether fields under one name can be merged, decided in one pass: graphql-core compares every pair of them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLOutputType,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    VisitorAction,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    print_ast,
)

MOST_STEPS = 40_000
"""A document within the other limits takes a few thousand."""


class Asked(NamedTuple):
    """A field where it is asked for."""

    parent: GraphQLNamedType | None
    node: FieldNode
    type: GraphQLOutputType | None


class MergeableFieldsRule(ValidationRule):
    """Fields under one name must have one shape, and be the same field wherever they could both apply.

    Both are equivalences, so each field is compared with the first of its group only, and groups are followed together.
    """

    context: ValidationContext

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._steps = 0
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._known: set[tuple[str, frozenset[int]]] = set()

    def enter_document(self, node: DocumentNode, *_: Any) -> VisitorAction:
        """Look at each operation with its fragments unfolded."""
        self._fragments = {each.name.value: each for each in node.definitions if isinstance(each, FragmentDefinitionNode)}
        for each in node.definitions:
            if isinstance(each, OperationDefinitionNode):
                fields = self._fields([(self.context.schema.get_root_type(each.operation), each.selection_set)])
                self._same_shape(fields)
                self._same_field(fields)
        return None

    def _fields(self, selections: Iterable[tuple[GraphQLNamedType | None, SelectionSetNode]]) -> list[Asked]:
        """What selection sets ask for, each fragment unfolded once."""
        found: list[Asked] = []
        waiting = list(selections)[::-1]
        unfolded: set[str] = set()
        while waiting:
            parent, selection_set = waiting.pop()
            for each in selection_set.selections:
                self._step()
                if isinstance(each, FieldNode):
                    field = self.context.schema.get_field(parent, each.name.value) if parent and is_composite_type(parent) else None
                    found.append(Asked(parent, each, field.type if field else None))
                elif isinstance(each, FragmentSpreadNode):
                    name = each.name.value
                    if name in self._fragments and name not in unfolded:
                        unfolded.add(name)
                        fragment = self._fragments[name]
                        waiting.append((self.context.schema.get_type(fragment.type_condition.name.value), fragment.selection_set))
                else:
                    condition = each.type_condition  # type: ignore[attr-defined]
                    inner = self.context.schema.get_type(condition.name.value) if condition else parent
                    waiting.append((inner, each.selection_set))  # type: ignore[attr-defined]
        return found

    def _below(self, fields: Iterable[Asked]) -> list[Asked]:
        return self._fields(
            [(get_named_type(each.type) if each.type else None, each.node.selection_set) for each in fields if each.node.selection_set]
        )

    def _groups(self, fields: list[Asked]) -> Iterable[list[Asked]]:
        groups: dict[str, list[Asked]] = defaultdict(list)
        for each in fields:
            groups[each.node.alias.value if each.node.alias else each.node.name.value].append(each)
        return groups.values()

    def _same_shape(self, fields: list[Asked]) -> None:
        for group in self._groups(fields):
            if not self._is_new("shape", group):
                continue
            first = next((each for each in group if each.type), group[0])
            for each in group:
                self._step()
                if first.type and each.type and _differ(first.type, each.type):
                    self._refuse(first, each, f"they return conflicting types '{first.type}' and '{each.type}'")
                    break
            self._same_shape(self._below(group))

    def _same_field(self, fields: list[Asked]) -> None:
        for group in self._groups(fields):
            anywhere = [each for each in group if not is_object_type(each.parent)]
            concrete: dict[str, list[Asked]] = defaultdict(list)
            for each in group:
                if each.parent and is_object_type(each.parent):
                    concrete[each.parent.name].append(each)
            for together in [[*anywhere, *each] for each in concrete.values()] or [anywhere]:
                if self._is_new("field", together):
                    self._compare(together)
                    self._same_field(self._below(together))

    def _compare(self, together: list[Asked]) -> None:
        first = together[0]
        said = _arguments(first.node) if len(together) > 1 else {}
        for each in together[1:]:
            self._step()
            if each.node.name.value != first.node.name.value:
                self._refuse(first, each, f"'{first.node.name.value}' and '{each.node.name.value}' are different fields")
                return
            if _arguments(each.node) != said:
                self._refuse(first, each, "they have differing arguments")
                return

    def _is_new(self, question: str, group: list[Asked]) -> bool:
        key = (question, frozenset(id(each.node) for each in group))
        if key in self._known:
            return False
        self._known.add(key)
        return True

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooEntangled

    def _refuse(self, first: Asked, other: Asked, why: str) -> None:
        name = first.node.alias.value if first.node.alias else first.node.name.value
        text = f"Fields '{name}' conflict because {why}. Use different aliases on the fields to fetch both if this was intentional."
        self.report_error(GraphQLError(text, [first.node, other.node]))


class TooEntangled(Exception):
    """Fields and fragments of a document overlap in more ways than anybody writes by hand."""


def _differ(one: Any, other: Any) -> bool:
    """Whether two types can never be answered under one name."""
    while is_list_type(one) or is_non_null_type(one) or is_list_type(other) or is_non_null_type(other):
        if is_list_type(one) != is_list_type(other) or is_non_null_type(one) != is_non_null_type(other):
            return True
        one, other = one.of_type, other.of_type
    return (is_leaf_type(one) or is_leaf_type(other)) and one is not other


def _arguments(node: FieldNode) -> dict[str, str]:
    return {each.name.value: print_ast(each.value) for each in node.arguments or ()}
