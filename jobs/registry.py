"""Every job there is, and when those of the calendar run.

A job may run twice: its worker can die after the work and before saying so. So each does nothing when its work is done already.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobs import upkeep
from resolvers import (
    booking_mails,
    campaign_sending,
    concierge_mails,
    crm_backup,
    crm_forwarding,
    delivery,
    device_commands,
    equipment,
    event_completion,
    event_mails,
    event_series,
    faces,
    files,
    forms,
    looking_up,
    membership_mails,
    payment_mails,
    population,
    purchases,
    quickbooks,
    refunds,
    reminders,
    renewals,
    shop_mails,
    visits,
    waitlist_mails,
    waitlists,
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
    Job("remind_of_visits", reminders.remind_of_visits, tries=3, seconds=300),
    Job("run_campaigns", campaign_sending.run_campaigns, tries=3, seconds=300),
    Job("revert_device", device_commands.revert_device, tries=12),
    Job("finish_refund", refunds.finish_refund),
    Job("prepare_rooms", equipment.prepare_rooms, tries=1),
    Job("complete_visits", visits.complete_visits, tries=3),
    Job("tell_about_event", event_mails.tell_about_event),
    Job("complete_events", event_completion.complete_events, tries=3),
    Job("extend_series", event_series.extend_series, tries=3, seconds=600),
    Job("refresh_population", population.refresh_population, tries=3, seconds=600),
    Job("stop_payment", looking_up.stop_payment),
    Job("look_up_payments", looking_up.look_up_payments, tries=3),
    Job("look_up_payment", looking_up.look_up_payment, tries=3),
    Job("tell_about_payment", payment_mails.tell_about_payment),
    Job("tell_about_membership", membership_mails.tell_about_membership),
    Job("tend_memberships", renewals.tend_memberships, tries=3),
    Job("charge_renewal", renewals.charge_renewal),
    Job("expire_purchase", purchases.expire_purchase, tries=20),
    Job("mail_about_purchase", shop_mails.mail_about_purchase),
    Job("tell_staff_of_low_stock", shop_mails.tell_staff_of_low_stock),
    Job("mail_about_concierge", concierge_mails.mail_about_concierge),
    Job("synchronise_quickbooks", quickbooks.synchronise_quickbooks, tries=5, seconds=300),
    Job("forget_abandoned_uploads", files.forget_abandoned_uploads, tries=3, seconds=600),
    Job("tell_about_offer", waitlist_mails.tell_about_offer),
    Job("expire_waitlist_offers", waitlists.expire_waitlist_offers, tries=3, seconds=300),
    Job("forward_crm_notice", crm_forwarding.forward_crm_notice, tries=3),
    Job("forward_crm_backlog", crm_forwarding.forward_crm_backlog, tries=3, seconds=600),
    Job("back_up_crm", crm_backup.back_up_crm, tries=3, seconds=600),
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
    "expire_waitlist_offers": "* * * * *",
    "forward_crm_backlog": "* * * * *",
    "back_up_crm": "33 2 * * *",
    "release_expired_holds": "* * * * *",
    "prepare_rooms": "* * * * *",
    "complete_visits": "*/5 * * * *",
    "complete_events": "*/5 * * * *",
    "extend_series": "33 2 * * *",
    "refresh_population": "41 * * * *",
    "tend_memberships": "* * * * *",
    "look_up_payments": "*/5 * * * *",
    "forget_limit_counters": "*/10 * * * *",
    "forget_idempotency_keys": "7 * * * *",
    "forget_sign_in_failures": "9 * * * *",
    "forget_sessions": "11 * * * *",
    "forget_email_changes": "12 * * * *",
    "forget_passkey_challenges": "14 * * * *",
    "forget_face_checks": "21 3 * * *",
    "reseal_faces": "23 3 * * *",
    "forget_sent_messages": "13 * * * *",
    "synchronise_quickbooks": "*/5 * * * *",
    "forget_abandoned_uploads": "14 * * * *",
    "prune_events": "17 * * * *",
    "forget_finished_jobs": "27 3 * * *",
}
