"""No job is put into the queue that nobody runs."""

import re

from jobs.registry import CALENDAR, JOBS
from migrations import ROOT

ENQUEUED = re.compile(r'enqueue\(\s*\w+,\s*"(\w+)"')


def test_every_job_that_is_enqueued_is_registered() -> None:
    layers = ("resolvers", "jobs", "subscriptions", "gateways", "engine", "rest_compat", "demo")
    enqueued = {name for layer in layers for path in (ROOT / layer).rglob("*.py") for name in ENQUEUED.findall(path.read_text())}
    registered = {job.name for job in JOBS}
    assert "send_message" in enqueued
    assert enqueued <= registered
    assert set(CALENDAR) <= registered
