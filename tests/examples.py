"""The example operations of a page in docs/, as they stand there."""

import re

from migrations import ROOT


def examples(page: str) -> list[str]:
    """The text of every GraphQL block."""
    return re.findall(r"```graphql\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
