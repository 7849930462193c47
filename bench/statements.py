"""What the hand-written server runs: for each operation one statement that answers JSON, and for a booking also the list of what it needs.

Numbers stand for the global ids that the product answers, which is cheaper; all else is the same answer.
"""

SERVICE = """
json_build_object(
  'id', s.id, 'name', s.name, 'slug', s.slug, 'price', s.price::text, 'duration', s.duration_minutes,
  'category', json_build_object('name', c.name),
  'addons', (
    SELECT coalesce(json_agg(json_build_object('id', a.id, 'name', a.name, 'price', a.price::text) ORDER BY a.id), '[]')
    FROM addons a WHERE a.service_id = s.id
  )
)
"""

CATALOGUE = f"""
SELECT json_build_object('data', json_build_object('services', json_build_object(
  'nodes', coalesce(json_agg({SERVICE} ORDER BY s.is_featured DESC, s.id), '[]')
)))::text
FROM (
  SELECT * FROM services
  WHERE is_active AND line = 'spa' AND category_id IN (SELECT id FROM categories WHERE slug = $1)
  ORDER BY is_featured DESC, id LIMIT 50
) s JOIN categories c ON c.id = s.category_id
"""  # noqa: S608 - put together from our own text

ONE_SERVICE = f"""
SELECT json_build_object('data', json_build_object('service', (
  SELECT {SERVICE} FROM services s JOIN categories c ON c.id = s.category_id WHERE s.is_active AND s.id = $1
)))::text
"""  # noqa: S608

MY_BOOKINGS = """
SELECT json_build_object('data', json_build_object('myBookings', json_build_object('nodes', coalesce(json_agg(json_build_object(
  'id', b.id, 'reference', b.reference, 'status', upper(b.status), 'startsAt', b.starts_at,
  'service', json_build_object('name', s.name, 'category', json_build_object('name', c.name)),
  'room', json_build_object('name', r.name),
  'payment', CASE WHEN p.id IS NULL THEN NULL ELSE json_build_object('status', upper(p.status), 'amount', p.amount::text) END
) ORDER BY b.starts_at DESC, b.id DESC), '[]'))))::text
FROM (SELECT * FROM bookings WHERE customer_id = $1 ORDER BY starts_at DESC, id DESC LIMIT 20) b
JOIN services s ON s.id = b.service_id JOIN categories c ON c.id = s.category_id
JOIN appointments t ON t.booking_id = b.id JOIN rooms r ON r.id = t.room_id LEFT JOIN payments p ON p.booking_id = b.id
"""

BOOKED = """
json_build_object('data', json_build_object('bookAppointment', json_build_object(
  'id', b.id, 'reference', b.reference, 'status', upper(b.status), 'startsAt', b.starts_at,
  'service', json_build_object('name', s.name, 'category', json_build_object('name', c.name)), 'room', json_build_object('name', r.name)
)))::text
"""

BOOK_AT_ONCE = f"""
WITH b AS (
  INSERT INTO bookings (
    uuid, kind, customer_id, service_id, location_id, status, payment_status, starts_at, ends_at,
    total_amount, currency
  )
  SELECT uuidv7(), 'appointment', $1, s.id, r.location_id, 'pending', 'pending', $4::timestamptz,
    $4::timestamptz + s.duration_minutes * interval '1 minute', s.price, s.currency
  FROM services s, rooms r, users u
  WHERE s.id = $2 AND r.id = $3 AND u.id = $1 AND NOT EXISTS (
    SELECT FROM reservations v
    WHERE (int8range(v.resource_id, v.resource_id, '[]') && int8range(r.resource_id, r.resource_id, '[]')
        OR int8range(v.resource_id, v.resource_id, '[]') && int8range(u.resource_id, u.resource_id, '[]'))
      AND v.during && tstzrange($4::timestamptz, $4::timestamptz + s.duration_minutes * interval '1 minute')
  )
  RETURNING *
), t AS (
  INSERT INTO appointments (booking_id, room_id) SELECT id, $3 FROM b
), v AS (
  INSERT INTO reservations (resource_id, during, booking_id)
  SELECT resource_id, tstzrange(b.starts_at, b.ends_at), b.id
  FROM b, (SELECT resource_id FROM rooms WHERE id = $3 UNION ALL SELECT resource_id FROM users WHERE id = $1) taken
)
SELECT {BOOKED} FROM b JOIN services s ON s.id = b.service_id JOIN categories c ON c.id = s.category_id JOIN rooms r ON r.id = $3
"""  # noqa: S608

BOOKING_NEEDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "booking",
        """
        INSERT INTO bookings
          (uuid, kind, customer_id, service_id, location_id, status, payment_status, starts_at, ends_at, total_amount, currency)
        SELECT uuidv7(), 'appointment', $1, s.id, r.location_id, 'pending', 'pending', $4::timestamptz,
          $4::timestamptz + s.duration_minutes * interval '1 minute', s.price, s.currency
        FROM services s, rooms r WHERE s.id = $2 AND r.id = $3 RETURNING id
        """,
        ("person", "service", "room", "starts_at"),
    ),
    ("side row", "INSERT INTO appointments (booking_id, room_id) VALUES ($1, $2)", ("booking", "room")),
    (
        "reservations of room and person",
        """
        INSERT INTO reservations (resource_id, during, booking_id)
        SELECT taken.resource_id, tstzrange(b.starts_at, b.ends_at), b.id
        FROM bookings b, (SELECT resource_id FROM rooms WHERE id = $2 UNION ALL SELECT resource_id FROM users WHERE id = $3) taken
        WHERE b.id = $1
        """,
        ("booking", "room", "person"),
    ),
    (
        "event",
        """
        INSERT INTO event_log (kind, topics, subject_id, data)
        SELECT 'booking.requested', ARRAY['bookings', 'booking:' || b.id, 'user:' || b.customer_id], b.id,
          jsonb_build_object('status', b.status, 'payment_status', b.payment_status)
        FROM bookings b WHERE b.id = $1
        """,
        ("booking",),
    ),
    (
        "idempotency row",
        """
        INSERT INTO idempotency_keys (scope, key, operation, body_hash, answer)
        VALUES ('user:' || $2::bigint, $3, 'book_appointment', md5($3), $1::bigint::text)
        """,
        ("booking", "person", "key"),
    ),
    (
        "answer",
        f"""
        SELECT {BOOKED} FROM bookings b JOIN services s ON s.id = b.service_id JOIN categories c ON c.id = s.category_id
        JOIN appointments t ON t.booking_id = b.id JOIN rooms r ON r.id = t.room_id WHERE b.id = $1
        """,  # noqa: S608 - put together from our own text
        ("booking",),
    ),
)
"""The fixed list of statements that a booking needs, run in one transaction: what each makes, its text, what it needs to know.
The ledger has no part in it, since nothing is posted before a payment. What triggers do (history, exclusion) they do here too."""
