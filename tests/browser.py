"""A real browser, headless Chromium, driven over its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
)
PATIENCE = 20


class Page:
    """One tab; what it logs and what its policy blocks is kept in `complaints`."""

    def __init__(self, line: websockets.ClientConnection) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []
        self.requested: list[str] = []

    async def listen(self) -> None:
        async for message in self._line:
            said = json.loads(message)
            match said.get("method"):
                case None:
                    self._waiting.pop(said["id"]).set_result(said)
                case "Log.entryAdded" if said["params"]["entry"]["level"] in ("error", "warning"):
                    self.complaints.append(said["params"]["entry"]["text"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(said["params"]["exceptionDetails"]["text"])
                case "Runtime.consoleAPICalled" if said["params"]["type"] in ("error", "assert"):
                    self.complaints.append(str([each.get("value") or each.get("description") for each in said["params"]["args"]]))
                case "Network.requestWillBeSent" if said["params"]["request"]["url"].startswith("http"):
                    self.requested.append(said["params"]["request"]["url"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._line.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer = await asyncio.wait_for(self._waiting[number], PATIENCE)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        for domain in ("Log", "Runtime", "Network", "Page"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression yields."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not await self.value(f"Boolean({expression})"):
            assert time.monotonic() < deadline, (
                f"never true: {expression}\n{await self.value('document.body.innerText')}\n{self.complaints}"
            )
            await asyncio.sleep(0.05)

    async def picture(self) -> bytes:
        """What the page looks like, as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def open_page(url: str) -> AsyncIterator[Page]:
    """A fresh browser showing one page. Without Chromium the test is skipped, or fails where BROWSER_TESTS=required."""
    if CHROMIUM is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("Chromium is not installed.")
        pytest.skip("Chromium is not installed.")
    with tempfile.TemporaryDirectory(prefix="atr-", ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(  # noqa: ASYNC220, S603 - starting takes no time
            [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            address = await asyncio.to_thread(_address, Path(profile))
            async with httpx2.AsyncClient() as client:
                tabs = (await client.get(f"http://{address}/json/list")).json()
            socket = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with websockets.connect(socket, max_size=None) as line:
                page = Page(line)
                listening = asyncio.create_task(page.listen())
                try:
                    await page.open(url)
                    yield page
                finally:
                    listening.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await listening
        finally:
            browser.terminate()
            await asyncio.to_thread(browser.wait, PATIENCE)


def _address(profile: Path) -> str:
    """Where the browser takes orders; it writes the port into its profile when it is ready."""
    announcement, deadline = profile / "DevToolsActivePort", time.monotonic() + PATIENCE
    while not (announcement.exists() and announcement.read_text().count("\n")):
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.05)
    return f"127.0.0.1:{announcement.read_text().splitlines()[0]}"
