"""What a newcomer does: start the server, copy the README's commands, walk through GraphiQL's tabs. On the demo world."""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations import ROOT
from tests.browser import Page, open_page
from tests.program import Program, running
from web.pages import example_operations

ANSWER = "document.querySelector('.graphiql-response').textContent"
DAYS = range(2, 12)
"""From now; on each of them John may book once more."""


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


def typed(demo: Program, section: str) -> str:
    """The command of a section, against this test's server and with its Python."""
    (command,) = blocks(section)
    return command.replace("localhost:8000", f"127.0.0.1:{demo.port}").replace(".venv/bin/python", sys.executable)


def copied(demo: Program, section: str) -> str:
    """What the command of a section prints."""
    command = typed(demo, section)
    return subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout  # noqa: S603, S607


def test_the_first_query_of_the_readme_works(demo: Program) -> None:
    assert copied(demo, "First query").startswith('{"data":{"services":{"nodes":[{"number":1,"name":"AI Massage Therapy"}')


def test_the_first_rest_call_of_the_readme_works(demo: Program) -> None:
    assert '"slug":"ai-massage-therapy"' in copied(demo, "First REST call")


def test_the_first_subscription_of_the_readme_shows_a_booking(demo: Program) -> None:
    command = ["bash", "-c", typed(demo, "First subscription").replace(" - <<", " -u - <<", 1)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as follower:  # noqa: S603
        try:
            assert follower.stdout is not None
            booked = set()
            for day in DAYS:  # whoever follows is told what happens from then on, and this test cannot see when that is
                booked.add(demo.book(day))
                if select.select([follower.stdout], [], [], 1)[0]:
                    break
            assert any(reference in follower.stdout.readline() for reference in booked)
        finally:
            os.killpg(follower.pid, signal.SIGKILL)


async def test_graphiql_shows_a_booking_as_it_happens(demo: Program) -> None:
    async with open_page(f"http://127.0.0.1:{demo.port}/graphiql") as page:
        await page.until(f"document.querySelectorAll('.graphiql-tab').length === {len(example_operations())}")
        await run_tab(page, "SignIn")
        await page.until(f"{ANSWER}.includes('accessToken')")
        await run_tab(page, "Follow")
        await asyncio.sleep(2)
        reference = await asyncio.to_thread(demo.book, DAYS[-1] + 1)
        await page.until(f"{ANSWER}.includes('{reference}')")
        assert page.complaints == []


async def run_tab(page: Page, name: str) -> None:
    """Choose a tab and run what it holds."""
    await page.value(f"[...document.querySelectorAll('.graphiql-tab button')].find((each) => each.textContent === '{name}').click()")
    await page.until(f"document.querySelector('.graphiql-query-editor').textContent.includes(' {name}')")
    await asyncio.sleep(0.5)  # nobody is faster, and GraphiQL takes a moment to see which operation it shows
    await page.value("document.querySelector('.graphiql-execute-button').click()")


async def test_the_tabs_of_graphiql_lead_from_sign_in_to_the_lights(demo: Program) -> None:
    async with open_page(f"http://127.0.0.1:{demo.port}/graphiql") as page:
        await page.until(f"document.querySelectorAll('.graphiql-tab').length === {len(example_operations())}")
        for example in example_operations():
            name = re.search(r"^(?:query|mutation) (\w+)", example["query"], re.MULTILINE)
            if name is None:
                continue
            await run_tab(page, name[1])
            await page.until(f"{ANSWER}.includes('data') || {ANSWER}.includes('errors')")
            answer = await page.value(ANSWER)
            assert '"errors"' not in answer, (example["name"], answer)
        assert '"success": true' in await page.value(ANSWER)
        assert page.complaints == []
