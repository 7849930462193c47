"""What a document asks of one object: fields merged by response key, fragments resolved, @skip and @include applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

CONDITIONS = ("skip", "include")


@dataclass(frozen=True)
class Reader:
    """What is needed to read selections: the document's fragments and the variables of this run."""

    schema: GraphQLSchema
    fragments: Mapping[str, Any]
    variables: Mapping[str, Any]

    def fields(self, nodes: Iterable[FieldNode], type_name: str) -> dict[str, list[FieldNode]]:
        """The fields asked of a type below these nodes, by response key."""
        found: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for node in nodes:
            if node.selection_set:
                self._collect(node.selection_set, type_name, found, seen)
        return found

    def of(self, selections: SelectionSetNode, type_name: str) -> dict[str, list[FieldNode]]:
        """The fields that a selection set asks of a type, by response key."""
        found: dict[str, list[FieldNode]] = {}
        self._collect(selections, type_name, found, set())
        return found

    def _collect(self, selections: SelectionSetNode, type_name: str, found: dict[str, list[FieldNode]], seen: set[str]) -> None:
        for each in selections.selections:
            if not self._is_included(each):
                continue
            if isinstance(each, FieldNode):
                found.setdefault(each.alias.value if each.alias else each.name.value, []).append(each)
            elif isinstance(each, InlineFragmentNode):
                condition = each.type_condition.name.value if each.type_condition else type_name
                if self._applies(condition, type_name):
                    self._collect(each.selection_set, type_name, found, seen)
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in seen:
                seen.add(each.name.value)
                fragment = self._fragment(each.name.value)
                if self._applies(fragment.type_condition.name.value, type_name):
                    self._collect(fragment.selection_set, type_name, found, seen)

    def _fragment(self, name: str) -> FragmentDefinitionNode:
        fragment = self.fragments[name]
        return fragment if isinstance(fragment, FragmentDefinitionNode) else fragment.definition

    def _is_included(self, node: Any) -> bool:
        return all(
            self._condition(each) is (each.name.value == "include") for each in node.directives or () if each.name.value in CONDITIONS
        )

    def _condition(self, directive: Any) -> bool:
        value = directive.arguments[0].value
        return bool(self.variables[value.name.value] if isinstance(value, VariableNode) else value.value)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        found = self.schema.type_map[condition]
        return is_abstract_type(found) and self.schema.is_sub_type(found, self.schema.type_map[type_name])
