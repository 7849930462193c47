"""What the heads of the house see of campaigns, and whom these are for."""

from datetime import datetime

import strawberry

from models import campaigns as tables
from models.campaigns import CampaignRecipient as Recipient
from models.campaigns import CampaignStatus, RecipientStatus
from models.newsletter import ConsentPurpose
from resolvers import campaigns, segments
from resolvers.campaigns import count_recipients
from resolvers.inputs.scalars import Json
from schema.fields import Connection, Record, expression, operation, related, shows
from schema.notifications import Letter


@shows(tables.Segment)
class Segment(Record):
    """A stored filter over the people who agreed to mails."""

    name: str
    conditions: Json


@shows(tables.Campaign)
class Campaign(Record):
    """One mail to everybody of a segment who agreed to mails of its sort."""

    name: str
    purpose: ConsentPurpose
    subject: str
    heading: str
    body: str
    button_label: str
    button_url: str | None
    status: CampaignStatus
    starts_at: datetime | None
    begun_at: datetime | None
    finished_at: datetime | None
    segment: Segment | None = related("segment")
    recipients: int = expression(count_recipients(), "How many it is for, as far as they are written down.")
    waiting: int = expression(
        count_recipients(Recipient.status.in_((RecipientStatus.PENDING, RecipientStatus.QUEUED))), "How many are still to be sent it."
    )
    sent: int = expression(count_recipients(Recipient.status == RecipientStatus.SENT), "How many were sent it.")
    failed: int = expression(count_recipients(Recipient.status == RecipientStatus.FAILED), "How many could not be sent it.")
    skipped: int = expression(
        count_recipients(Recipient.status == RecipientStatus.SKIPPED), "How many took their consent back before it was their turn."
    )
    unsubscribed: int = expression(count_recipients(Recipient.unsubscribed_at.is_not(None)), "How many took their consent back by it.")


@shows(tables.CampaignRecipient)
class CampaignRecipient(Record):
    """One address of one campaign: the row that lets nobody get it twice."""

    email: str
    status: RecipientStatus
    queued_at: datetime | None
    failure: str | None
    unsubscribed_at: datetime | None


@strawberry.type(description="How many belong to a segment now.")
class SegmentSize:
    """What counting a segment answers."""

    count: int = strawberry.field(description="People who agreed, and for whom every condition holds.")


@strawberry.type
class CampaignQueries:
    """Reading campaigns."""

    segment_size: SegmentSize = operation(segments.count_segment)
    segments: list[Segment] = operation(segments.list_segments)
    campaign: Campaign = operation(campaigns.get_campaign)
    campaign_recipients: Connection[CampaignRecipient] = operation(campaigns.list_campaign_recipients)
    campaign_preview: Letter = operation(campaigns.preview_campaign)
    campaigns: Connection[Campaign] = operation(campaigns.list_campaigns)


@strawberry.type
class CampaignMutations:
    """Running campaigns."""

    create_segment: Segment = operation(segments.create_segment)
    create_campaign: Campaign = operation(campaigns.create_campaign)
    update_campaign: Campaign = operation(campaigns.update_campaign)
    try_campaign: Campaign = operation(campaigns.try_campaign)
    schedule_campaign: Campaign = operation(campaigns.schedule_campaign)
    pause_campaign: Campaign = operation(campaigns.pause_campaign)
    cancel_campaign: Campaign = operation(campaigns.cancel_campaign)
