"""What the staff say about campaigns and whom they are for."""

import strawberry

from models.newsletter import ConsentPurpose


@strawberry.input(description="Who a campaign is for, among those who agreed to it; everything that is given must hold.")
class SegmentConditions:
    """A filter over people."""

    membership_tiers: list[str] | None = strawberry.field(default=None, description="On a plan of one of these tiers: standard, premium.")
    is_member: bool | None = strawberry.field(default=None, description="With a membership that counts, or without.")
    visited_within_days: int | None = strawberry.field(default=None, description="Here in the last so many days.")
    not_visited_for_days: int | None = strawberry.field(default=None, description="Not here for so many days, or never.")
    visits_at_least: int | None = strawberry.field(default=None, description="So often here, or oftener.")
    categories: list[str] | None = strawberry.field(default=None, description="Have had a service of one of these categories, by slug.")
    cities: list[str] | None = strawberry.field(default=None, description="Have been at a location in one of these cities.")
    has_account: bool | None = strawberry.field(default=None, description="With an account, or only on the newsletter's list.")


@strawberry.input(description="A filter with a name.")
class SegmentInput:
    """A new segment."""

    name: str = strawberry.field(description="What the staff call it, unique.")
    conditions: SegmentConditions = strawberry.field(description="Who belongs to it.")


@strawberry.input(description="A new campaign.")
class CampaignInput:
    """One mail to many."""

    name: str = strawberry.field(description="What the staff call it.")
    purpose: ConsentPurpose = strawberry.field(description="What its readers must have agreed to.")
    segment_id: strawberry.ID | None = strawberry.field(default=None, description="Who gets it; everybody who agreed when left out.")
    subject: str = strawberry.field(description="Subject of the mail; may name {first_name}.")
    heading: str = strawberry.field(default="", description="Its heading; may name {first_name}.")
    body: str = strawberry.field(description="Its paragraphs, with empty lines between them; may name {first_name}.")
    button_label: str = strawberry.field(default="", description="What stands on its button.")
    button_url: str | None = strawberry.field(default=None, description="Where its button leads: https://….")


@strawberry.input(description="Changes of a campaign that is a draft; what is absent or null stays as it is.")
class CampaignPatch:
    """What may change before it is scheduled."""

    name: str | None = strawberry.field(default=None, description="What the staff call it.")
    purpose: ConsentPurpose | None = strawberry.field(default=None, description="What its readers must have agreed to.")
    segment_id: strawberry.ID | None = strawberry.field(default=None, description="Who gets it.")
    subject: str | None = strawberry.field(default=None, description="Subject of the mail; may name {first_name}.")
    heading: str | None = strawberry.field(default=None, description="Its heading; may name {first_name}.")
    body: str | None = strawberry.field(default=None, description="Its paragraphs, with empty lines between them; may name {first_name}.")
    button_label: str | None = strawberry.field(default=None, description="What stands on its button.")
    button_url: str | None = strawberry.field(default=None, description="Where its button leads: https://….")
