"""Imports every table, so that Alembic and the mappers see them whole."""

from importlib import import_module
from pkgutil import iter_modules

for each in iter_modules(__path__, "models."):
    import_module(each.name)
