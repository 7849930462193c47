"""Values that GraphQL knows by another name; schema/scalars.py says how they are spelled."""

from typing import NewType

Json = NewType("Json", object)
