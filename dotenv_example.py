"""Writes .env.example from the settings, so that none can be forgotten there."""

import textwrap
from enum import Enum
from pathlib import Path

from pydantic import SecretStr

from settings import Settings

HEAD = """\
# Every setting of Atrium with its default. Copy what you change to .env, or set it in the environment, which wins.
# Written by `make schema`; do not edit by hand.
"""


def example() -> str:
    """The text of .env.example."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        default = field.default
        value = default.get_secret_value() if isinstance(default, SecretStr) else default.value if isinstance(default, Enum) else default
        words = textwrap.fill(field.description or "", 120, initial_indent="# ", subsequent_indent="# ")
        parts.append(f"{words}\n#{name.upper()}={'' if value is None else value}\n")
    return "\n".join(parts)


def write(path: Path) -> None:
    path.write_text(example())
