"""The directives of REST documents: where an endpoint stands, and what shapes its answer. /graphql never knows them."""

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    IntValueNode,
    Visitor,
    extend_schema,
    parse,
    print_ast,
    visit,
)
from graphql.language.visitor import VisitorAction

from engine.pages import LARGEST

DECLARATIONS = parse(
    '''
    """How a value is spelled where its type does not say it."""
    enum RestFormat {
      "The day of a moment or of a local time."
      DAY
      "The hour and minute of a moment or of a local time."
      TIME
      "Small letters."
      LOWER
      "Capitals."
      UPPER
      "The address of the next page where true, null where false."
      NEXT_LINK
      "The address of the previous page where true, null where false."
      PREVIOUS_LINK
    }

    """
    The route that a document answers: one method, its status, the sentence that goes with success, its own limit of calls, and the
    operation that clients of GraphQL use instead, where it is another one.
    """
    directive @rest(
      get: String, post: String, put: String, patch: String, delete: String
      status: Int = 200, says: String, limit: String, instead: String
    ) on QUERY | MUTATION

    """Put one field of an object, or of each object of a list, in its place."""
    directive @pluck(field: String!) on FIELD

    """Put an object's fields among those beside it."""
    directive @spread on FIELD

    """Turn a list into an object whose keys are one field of its elements."""
    directive @keyBy(field: String!) on FIELD

    """Spell a value in another way than its type is."""
    directive @as(format: RestFormat!) on FIELD
    '''
)
SHAPING = frozenset({"pluck", "spread", "keyBy", "as"})
OURS = SHAPING | {"rest"}
PAGE_SIZE_ARGUMENTS = frozenset({"perPage", "first", "last"})


def with_directives(schema: GraphQLSchema) -> GraphQLSchema:
    """A private copy of the schema that knows the directives of REST documents."""
    return extend_schema(schema, DECLARATIONS)


class _Strip(Visitor):
    def enter_directive(self, node: DirectiveNode, *_: object) -> VisitorAction:
        return self.REMOVE if node.name.value in OURS else None


class _Modest(Visitor):
    """Long bare lists are for old clients only: everybody else reads pages."""

    def enter_argument(self, node: ArgumentNode, *_: object) -> ArgumentNode | None:
        if node.name.value in PAGE_SIZE_ARGUMENTS and isinstance(node.value, IntValueNode) and int(node.value.value) > LARGEST:
            return ArgumentNode(name=node.name, value=IntValueNode(value=str(LARGEST)))
        return None


def without_directives(document: DocumentNode) -> DocumentNode:
    """The same operation as any GraphQL client would send it."""
    stripped: DocumentNode = visit(document, _Strip())
    return stripped


def as_text(document: DocumentNode) -> str:
    """How a GraphQL client writes the operation of a stripped document."""
    return f"{print_ast(visit(document, _Modest()))}\n"


def shaping(node: FieldNode) -> dict[str, str | None]:
    """The shaping directives of a field, in the order in which they are applied, with their argument."""
    found: dict[str, str | None] = {}
    for directive in node.directives or ():
        if directive.name.value in SHAPING:
            value = directive.arguments[0].value if directive.arguments else None
            found[directive.name.value] = getattr(value, "value", None)
    return found
