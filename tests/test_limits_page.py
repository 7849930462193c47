"""docs/limits.md says what the settings say."""

import re

from migrations import ROOT
from settings import Settings

ROW = re.compile(r"^\| `([A-Z_]+)` \| (\S+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
LIMITS = re.compile(r"max_|cost_budget|socket|limit_|_timeout$")


def test_every_limit_has_its_line_with_its_default_and_its_code() -> None:
    rows = {name.lower(): (default, refusal) for name, default, refusal, _ in ROW.findall((ROOT / "docs/limits.md").read_text())}
    limits = {name: field.default for name, field in Settings.model_fields.items() if LIMITS.match(name) or name.endswith("_timeout")}
    limits.pop("device_timeout", None)  # a device's, not a caller's
    assert {name: float(default) for name, (default, _) in rows.items()} == {name: float(each) for name, each in limits.items()}
    assert all(refusal.startswith(("`", "close ", "503")) for _, refusal in rows.values())
