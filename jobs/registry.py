"""Every job there is, and when those of the calendar run.

A job may run twice: its worker can die after the work and before saying so. So each does nothing when its work is done already.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobs import upkeep
from resolvers import (
    booking_mails,
    campaign_sending,
    delivery,
    device_commands,
    equipment,
    faces,
    forms,
    population,
    receipts,
    refunds,
    reminders,
    visits,
)


@dataclass(frozen=True)
class Job:
    """What runs under a name: called with a context and the fields of the payload, and tried again when it raises."""

    name: str
    run: Callable[..., Awaitable[None]]
    tries: int = 8
    seconds: float = 60
    """How long one try may take."""


JOBS = (
    Job("send_message", delivery.send_message),
    Job("send_notification", delivery.send_notification),
    Job("tell_about_booking", booking_mails.tell_about_booking),
    Job("tell_staff_of_form", forms.tell_staff_of_form),
    Job("send_receipt", receipts.send_receipt),
    Job("remind_of_visits", reminders.remind_of_visits, tries=3, seconds=300),
    Job("run_campaigns", campaign_sending.run_campaigns, tries=3, seconds=300),
    Job("revert_device", device_commands.revert_device, tries=6),
    Job("finish_refund", refunds.finish_refund),
    Job("prepare_rooms", equipment.prepare_rooms, tries=1),
    Job("complete_visits", visits.complete_visits, tries=3),
    Job("refresh_population", population.refresh_population, tries=3, seconds=600),
    Job("prune_events", upkeep.prune_events, tries=3, seconds=600),
    Job("release_expired_holds", upkeep.release_expired_holds, tries=3),
    Job("forget_idempotency_keys", upkeep.forget_idempotency_keys, tries=3, seconds=600),
    Job("forget_limit_counters", upkeep.forget_limit_counters, tries=3, seconds=600),
    Job("forget_sign_in_failures", upkeep.forget_sign_in_failures, tries=3, seconds=600),
    Job("forget_sessions", upkeep.forget_sessions, tries=3, seconds=600),
    Job("forget_email_changes", upkeep.forget_email_changes, tries=3, seconds=600),
    Job("forget_passkey_challenges", upkeep.forget_passkey_challenges, tries=3, seconds=600),
    Job("forget_face_checks", upkeep.forget_face_checks, tries=3, seconds=600),
    Job("reseal_faces", faces.reseal_faces, tries=3, seconds=600),
    Job("forget_sent_messages", upkeep.forget_sent_messages, tries=3, seconds=600),
    Job("forget_finished_jobs", upkeep.forget_finished_jobs, tries=3, seconds=600),
)

CALENDAR = {
    "run_campaigns": "* * * * *",
    "remind_of_visits": "*/5 * * * *",
    "release_expired_holds": "* * * * *",
    "prepare_rooms": "* * * * *",
    "complete_visits": "*/5 * * * *",
    "refresh_population": "41 * * * *",
    "forget_limit_counters": "*/10 * * * *",
    "forget_idempotency_keys": "7 * * * *",
    "forget_sign_in_failures": "9 * * * *",
    "forget_sessions": "11 * * * *",
    "forget_email_changes": "12 * * * *",
    "forget_passkey_challenges": "14 * * * *",
    "forget_face_checks": "21 3 * * *",
    "reseal_faces": "23 3 * * *",
    "forget_sent_messages": "13 * * * *",
    "prune_events": "17 * * * *",
    "forget_finished_jobs": "27 3 * * *",
}
