"""What is announced about recommendations."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.recommendations import Recommendation


@dataclass(frozen=True)
class RecommendationAnswered:
    """A person accepted or declined a recommendation."""

    kind: ClassVar[str] = "recommendation.answered"
    recommendation: Recommendation

    @property
    def topics(self) -> list[str]:
        return ["recommendations", f"user:{self.recommendation.user_id}"]

    @property
    def subject_id(self) -> int:
        return self.recommendation.id

    @property
    def data(self) -> dict[str, Any]:
        return {"answer": self.recommendation.answer, "service_id": self.recommendation.service_id}
