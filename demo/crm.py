"""What the CRM was told of the demo's bookings, how far its desk has come with them, and who waits in line for what is full."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import FIRST_GUEST
from demo.world import World

# One statement, as the operations wrote it: the newest bookings are still new at the desk, what is over is completed.
NOTICES = text(
    """
    INSERT INTO crm_notices (uuid, source, booking_id, booking_number, status, crm_status, person_number, person_email, person_name,
      person_phone, event_number, event_title, event_type, starts_at, location, facilitator_number, booked_at, notes,
      received_at, changed_at)
    SELECT gen_random_uuid(), 'own', b.id, b.id, CASE b.status WHEN 'cancelled' THEN 'cancelled' ELSE 'received' END,
      CASE WHEN e.ends_at < :now THEN 'completed' ELSE (ARRAY['new', 'reviewed', 'contacted', 'confirmed'])[b.id % 4 + 1] END,
      u.id, u.email, trim(concat_ws(' ', u.first_name, u.last_name)), u.phone, e.id, e.title, e.kind, e.starts_at,
      coalesce(e.venue, r.name), e.facilitator_id, least(b.created_at, :now), b.special_requests,
      least(b.created_at, :now), least(b.created_at, :now)
    FROM bookings b JOIN event_bookings eb ON eb.booking_id = b.id JOIN events e ON e.id = eb.event_id JOIN users u ON u.id = b.customer_id
    LEFT JOIN rooms r ON r.id = e.room_id ORDER BY b.created_at, b.id ON CONFLICT DO NOTHING
    """
)
STEPS = text(
    """
    INSERT INTO crm_moves (notice_id, old_status, new_status, note, moved_at)
    SELECT id, 'new', crm_status, CASE crm_status WHEN 'contacted' THEN 'Called, will come' WHEN 'confirmed' THEN 'Confirmed by mail' END,
      received_at + interval '2 hours'
    FROM crm_notices WHERE source = 'own' AND crm_status <> 'new' ORDER BY id
    """
)
LINE = text(
    """
    INSERT INTO waitlist_entries (uuid, kind, user_id, status, quantity, event_id, starts_at, ends_at)
    SELECT gen_random_uuid(), 'event', u.id, 'waiting', 1, e.id, e.starts_at, e.ends_at
    FROM (
      SELECT * FROM events WHERE status = 'active' AND starts_at > :now AND current_participants = max_participants ORDER BY id LIMIT 1
    ) e
    CROSS JOIN LATERAL (
      SELECT id FROM users WHERE id >= :first_guest AND NOT EXISTS (
        SELECT FROM event_bookings b WHERE b.event_id = e.id AND b.customer_id = users.id
      ) ORDER BY id LIMIT 3
    ) u
    """
)


async def fill(db: AsyncSession, world: World) -> None:
    """Notices of all bookings of events with the desk's steps, and a line for the first event that is full."""
    await db.execute(NOTICES, {"now": world.now})
    await db.execute(STEPS)
    await db.execute(LINE, {"now": world.now, "first_guest": FIRST_GUEST})
