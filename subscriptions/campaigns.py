"""What is announced about campaigns."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.campaigns import Campaign


@dataclass(frozen=True)
class CampaignMoved:
    """A campaign stands elsewhere; the staff may know."""

    kind: ClassVar[str] = "campaign.moved"
    campaign: Campaign

    @property
    def topics(self) -> list[str]:
        return ["campaigns"]

    @property
    def subject_id(self) -> int:
        return self.campaign.id

    @property
    def data(self) -> dict[str, Any]:
        return {"status": self.campaign.status}
