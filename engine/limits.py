"""How large a document may be: one pass over it, every fragment measured once."""

from collections import Counter
from dataclasses import dataclass, field, replace

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from settings import Settings

INTROSPECTION = ("__schema", "__type")
DEEPEST_INTROSPECTION = 20


@dataclass
class Size:
    """What a selection amounts to with its fragments unfolded."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0
    roots: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Size", below: int = 0) -> None:
        """Count another selection in, so many levels further down."""
        self.fields += other.fields
        self.aliases += other.aliases
        self.depth = max(self.depth, other.depth + below)
        if below == 0:
            self.roots += other.roots


class Measure:
    """Measures the operations of one document."""

    def __init__(self, document: DocumentNode) -> None:
        self.fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        self.known: dict[str, Size] = {}
        self.open: set[str] = set()

    def size(self, selections: SelectionSetNode) -> Size:
        """Unfold a selection set; a fragment is measured once however often it is spread, cycles count nothing."""
        total = Size()
        for each in selections.selections:
            if isinstance(each, FieldNode):
                total.fields += 1
                total.aliases += each.alias is not None
                total.depth = max(total.depth, 1)
                total.roots[each.name.value] += 1
                if each.selection_set:
                    inner = self.size(each.selection_set)
                    if each.name.value in INTROSPECTION:  # tools ask deeper than people, and a rule of its own bounds them
                        inner = replace(inner, depth=max(0, inner.depth - DEEPEST_INTROSPECTION))
                    total.add(inner, below=1)
            elif isinstance(each, InlineFragmentNode):
                total.add(self.size(each.selection_set))
            elif isinstance(each, FragmentSpreadNode):
                total.add(self._fragment(each.name.value))
        return total

    def _fragment(self, name: str) -> Size:
        if name not in self.known:
            if name in self.open or name not in self.fragments:
                return Size()
            self.open.add(name)
            self.known[name] = self.size(self.fragments[name].selection_set)
            self.open.discard(name)
        return self.known[name]


def refusals(document: DocumentNode, settings: Settings, sensitive: frozenset[str]) -> list[GraphQLError]:
    """Why a document is too large, or repeats what it may ask only once; empty when it is fine."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    found: list[GraphQLError] = []
    if len(operations) > settings.max_operations:
        found.append(_too("operations", settings.max_operations))
    measure = Measure(document)
    for each in operations:
        size = measure.size(each.selection_set)
        for name, largest, value in (
            ("fields", settings.max_fields, size.fields),
            ("aliases", settings.max_aliases, size.aliases),
            ("depth", settings.max_depth, size.depth),
        ):
            if value > largest:
                found.append(_too(name, largest))
        repeated = sorted(name for name, times in size.roots.items() if times > 1 and name in sensitive)
        if repeated:
            found.append(GraphQLError(f"{repeated[0]} may be asked once in a document.", extensions={"code": "ONCE_PER_DOCUMENT"}))
    return found


def _too(what: str, largest: int) -> GraphQLError:
    return GraphQLError(f"A document may have {largest} {what} at most.", extensions={"code": "DOCUMENT_TOO_LARGE", "limit": what})
