"""The documents of one system: a folder of GraphQL files, parsed and held against the schema, with every mistake noted."""

from pathlib import Path

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    Source,
    Visitor,
    parse,
    validate,
    visit,
)

from rest_compat.directives import with_directives

Definition = OperationDefinitionNode | FragmentDefinitionNode


class WrongDocument(Exception):
    """A REST document contradicts the schema or itself; the server does not start. One line per mistake, with file and line."""


class Documents:
    """The operations and fragments of a folder; fragments are shared by all its files."""

    def __init__(self, folder: Path, schema: GraphQLSchema) -> None:
        self.system = folder.name
        self.schema = with_directives(schema)
        self.mistakes: list[str] = []
        self.fragments: dict[str, FragmentDefinitionNode] = {}
        self.operations: list[OperationDefinitionNode] = []
        self._spread: set[str] = set()
        for file in sorted(folder.glob("*.graphql")):
            self._read(file)

    def note(self, error: GraphQLError) -> None:
        """Remember a mistake with its file and line."""
        source = error.source or (error.nodes[0].loc.source if error.nodes and error.nodes[0].loc else None)
        line = error.locations[0].line if error.locations else 1
        self.mistakes.append(f"{source.name if source else self.system}:{line}: {error.message}")

    def document(self, node: OperationDefinitionNode) -> DocumentNode | None:
        """An operation with its fragments; notes what is wrong with it and answers None then."""
        fragments = self._fragments_of(node)
        document = DocumentNode(definitions=(node, *(self.fragments[name] for name in sorted(fragments))))
        errors = validate(self.schema, document)
        for error in errors:
            self.note(error)
        return None if errors else document

    def finish(self) -> None:
        """Fragments that nobody spreads are mistakes too; raises WrongDocument when anything is wrong."""
        if not self.mistakes:
            for name in sorted(self.fragments.keys() - self._spread):
                self.mistakes.append(f"{where(self.fragments[name])}: nobody spreads the fragment {name}.")
        if self.mistakes:
            raise WrongDocument("\n".join(self.mistakes))

    def _read(self, file: Path) -> None:
        try:
            document = parse(Source(file.read_text(encoding="utf-8"), f"rest_compat/{self.system}/{file.name}"))
        except GraphQLError as error:
            self.note(error)
            return
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                if node.name.value in self.fragments:
                    self.note(GraphQLError(f"The fragment {node.name.value} is declared twice.", node))
                self.fragments[node.name.value] = node
            elif isinstance(node, OperationDefinitionNode):
                self.operations.append(node)
            else:
                self.note(GraphQLError("Only operations and fragments belong in a REST document.", node))

    def _fragments_of(self, node: OperationDefinitionNode) -> set[str]:
        """The fragments that an operation needs, at any depth; an unknown one is left to validation."""
        found: set[str] = set()
        waiting = _spreads(node)
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.fragments:
                found.add(name)
                waiting += _spreads(self.fragments[name])
        self._spread |= found
        return found


def where(node: Definition) -> str:
    """The file and line of a definition."""
    assert node.loc is not None  # noqa: S101 - it was parsed from a file
    return f"{node.loc.source.name}:{node.loc.start_token.line}"


def _spreads(node: Definition) -> list[str]:
    found: list[str] = []

    class Collect(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: object) -> None:
            found.append(spread.name.value)

    visit(node, Collect())
    return found
