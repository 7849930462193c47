"""What a newcomer does: start the server, copy the README's commands, walk through GraphiQL's tabs. On the demo world."""

import asyncio
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations import ROOT
from tests.browser import open_page
from tests.program import Program, running
from web.pages import example_operations

ANSWER = "document.querySelector('.graphiql-response').textContent"
TAB = "document.querySelectorAll('.graphiql-tab')[{}]"


@pytest.fixture(scope="module")
def demo() -> Iterator[Program]:
    """A server as `make serve` starts it."""
    with tempfile.TemporaryDirectory(prefix="atr-") as folder, running(Path(folder) / "data", "serve") as program:
        program.wait_for("Atrium is ready")
        yield program


def blocks(section: str) -> list[str]:
    """The shell commands of one section of the README."""
    text = (ROOT / "README.md").read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def copied(demo: Program, section: str) -> str:
    """What the commands of a section print, typed against this test's server."""
    (command,) = blocks(section)
    command = command.replace("localhost:8000", f"127.0.0.1:{demo.port}")
    return subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout  # noqa: S603, S607


def test_the_first_query_of_the_readme_works(demo: Program) -> None:
    assert copied(demo, "First query").startswith('{"data":{"services":{"nodes":[{"number":1,"name":"AI Massage Therapy"}')


def test_the_first_rest_call_of_the_readme_works(demo: Program) -> None:
    assert '"slug":"ai-massage-therapy"' in copied(demo, "First REST call")


async def test_the_tabs_of_graphiql_lead_from_sign_in_to_the_lights(demo: Program) -> None:
    async with open_page(f"http://127.0.0.1:{demo.port}/graphiql") as page:
        await page.until(f"document.querySelectorAll('.graphiql-tab').length === {len(example_operations())}")
        for number, example in enumerate(example_operations()):
            name = re.search(r"^(?:query|mutation) (\w+)", example["query"], re.MULTILINE)
            if name is None:
                continue
            await page.value(f"{TAB.format(number)}.querySelector('button').click()")
            await page.until(f"document.querySelector('.graphiql-query-editor').textContent.includes('{name[1]}')")
            await asyncio.sleep(0.5)  # nobody is faster, and GraphiQL takes a moment to see which operation it shows
            await page.value("document.querySelector('.graphiql-execute-button').click()")
            await page.until(f"{ANSWER}.includes('data') || {ANSWER}.includes('errors')")
            answer = await page.value(ANSWER)
            assert '"errors"' not in answer, (example["name"], answer)
        assert '"success": true' in await page.value(ANSWER)
        assert page.complaints == []
