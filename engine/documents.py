"""Documents are parsed, measured and validated once, and kept while they are used."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    REMOVE,
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.validation import OverlappingFieldsCanBeMergedRule, specified_rules

from engine import limits
from engine.cost import Price
from engine.overlaps import MergeableFieldsRule, TooEntangled
from errors import BadUserInput
from settings import Settings

IN_PARTS = ("defer", "stream")
RULES = tuple(MergeableFieldsRule if each is OverlappingFieldsCanBeMergedRule else each for each in specified_rules)
MOST_ERRORS, MOST_PLACES, LONGEST_MESSAGE = 20, 10, 300
"""How much is said about a document: whoever sends nonsense is not sent it back."""


@dataclass(frozen=True)
class Document:
    """A document that may be run, or why it may not."""

    node: DocumentNode | None
    errors: list[GraphQLError]
    compilers: dict[str | None, Any] = field(default_factory=dict, compare=False)
    """The compiled forms of its operations by their name, made when they are first run."""
    in_parts: DocumentNode | None = None
    """The same with its @defer and @stream, for clients that read answers in parts; `node` has none."""
    introspects: bool = False
    """Whether it asks about the schema."""
    prices: dict[str | None, Price] = field(default_factory=dict, compare=False)
    """What its operations cost, by their name."""
    introspected: dict[str | None, ExecutionResult] = field(default_factory=dict, compare=False)
    """What its operations say of the schema, which does not change."""

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation that would run; none when the name does not decide."""
        if self.node is None:
            return None
        found = [each for each in self.node.definitions if isinstance(each, OperationDefinitionNode)]
        if name is not None:
            return next((each for each in found if each.name and each.name.value == name), None)
        return found[0] if len(found) == 1 else None

    def label(self, name: str | None) -> str:
        """What would run, in names of the schema: its only root field, or how it must be called otherwise."""
        operation = None if self.errors else self.operation(name)
        if operation is None:
            return "other"
        roots = operation.selection_set.selections
        return roots[0].name.value if len(roots) == 1 and isinstance(roots[0], FieldNode) else "several"


def is_introspection(operation: OperationDefinitionNode) -> bool:
    """Whether an operation asks about nothing but the schema."""
    return all(isinstance(each, FieldNode) and each.name.value.startswith("__") for each in operation.selection_set.selections)


class Documents:
    """The documents that a process has seen lately, by their text."""

    def __init__(self, schema: GraphQLSchema, settings: Settings, sensitive: frozenset[str]) -> None:
        self._schema = schema
        self._settings = settings
        self._sensitive = sensitive
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """The document with this text, checked."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        document = self._read(text)
        self._kept[text] = document
        if len(self._kept) > self._settings.cached_documents:
            self._kept.popitem(last=False)
        return document

    def _read(self, text: str) -> Document:
        if len(text) > self._settings.max_query:
            return Document(None, [GraphQLError("The query is too long.", extensions={"code": "DOCUMENT_TOO_LARGE", "limit": "text"})])
        try:
            node = parse(text, max_tokens=self._settings.max_tokens, no_location=False)
        except GraphQLSyntaxError as error:
            return Document(None, [coded(error, "GRAPHQL_PARSE_FAILED")])
        except RecursionError:
            return Document(None, [GraphQLError("The query is nested too deeply.", extensions={"code": "GRAPHQL_PARSE_FAILED"})])
        refused = limits.refusals(node, self._settings, self._sensitive)
        refused = refused or self._invalid(node) or _unstorable(node, text)
        if refused:
            return Document(node, refused)
        introspects = any(name in limits.INTROSPECTION for name in _field_names(node))
        whole = visit(node, WithoutParts()) if any(name in text for name in IN_PARTS) else node
        return Document(whole, [], in_parts=None if whole is node else node, introspects=introspects)

    def _invalid(self, node: DocumentNode) -> list[GraphQLError]:
        try:
            found = validate(self._schema, node, RULES, max_errors=MOST_ERRORS, hide_suggestions=True)
        except TooEntangled:
            return [GraphQLError("The fragments overlap too much.", extensions={"code": "DOCUMENT_TOO_LARGE", "limit": "overlaps"})]
        return [coded(each, "GRAPHQL_VALIDATION_FAILED") for each in found]


def _unstorable(node: DocumentNode, text: str) -> list[GraphQLError]:
    """Refuse texts that no column can hold; variables are looked at with each request."""
    if "\\u" not in text and "\0" not in text:
        return []
    finder = NulFinder()
    visit(node, finder)
    return finder.found


class NulFinder(Visitor):
    """Looks for texts with a NUL."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[GraphQLError] = []

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        """Note one."""
        if "\0" in node.value and not self.found:
            error = GraphQLError("A text holds a character that cannot be stored.", nodes=node)
            self.found.append(coded(error, BadUserInput.code))


class WithoutParts(Visitor):
    """Takes away what only says that an answer may come in parts."""

    def enter_directive(self, node: DirectiveNode, *_: Any) -> Any:
        """Leave out the directives for parts."""
        return REMOVE if node.name.value in IN_PARTS else None


def _field_names(node: DocumentNode) -> Iterator[str]:
    waiting: list[Any] = list(node.definitions)
    while waiting:
        each = waiting.pop()
        if isinstance(each, FieldNode):
            yield each.name.value
        selection = getattr(each, "selection_set", None)
        waiting += selection.selections if selection else ()


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """The same error with a code, and no longer than it needs to be."""
    message = error.message if len(error.message) <= LONGEST_MESSAGE else f"{error.message[:LONGEST_MESSAGE]}…"
    nodes, positions = list(error.nodes or ())[:MOST_PLACES] or None, list(error.positions or ())[:MOST_PLACES] or None
    return GraphQLError(message, nodes=nodes, source=error.source, positions=positions, extensions={"code": code})
