-- 400 services, 5,000 people, 200 rooms, 100,000 bookings, in numbers from 1,000,000 on, so that the demo world stays what it is.
-- Booking n takes room n % 200 in hour n / 200 for person n % 5000: nobody is in two places at once.
-- Triggers rest meanwhile: what they would write is no part of what is measured.

INSERT INTO categories (id, uuid, line, name, slug, description, featured_technologies, position)
SELECT 1000000 + n, uuidv7(), 'spa', 'Measured category ' || n, 'measured-' || n, 'A category of fifty services.', '{}', 100 + n
FROM generate_series(0, 7) n;

INSERT INTO services (id, uuid, line, category_id, name, slug, short_description, description, price, currency, duration_minutes, is_featured, is_active)
SELECT 1000000 + n, uuidv7(), 'spa', 1000000 + n % 8, 'Measured service ' || n, 'measured-service-' || n, 'What it does, in one line.',
  repeat('What it does, and for whom, in a few sentences. ', 5), 40 + n % 160, 'USD', 60, n % 10 = 0, true
FROM generate_series(0, 399) n;

INSERT INTO spa_services (service_id, member_price, max_capacity, requires_appointment, member_only, gallery_images)
SELECT id, price * 0.8, 1, true, false, '{}' FROM services WHERE id >= 1000000;

INSERT INTO addons (id, uuid, service_id, name, price, is_active)
SELECT 1000000 + 3 * n + k, uuidv7(), 1000000 + n, 'Add-on ' || k || ' of service ' || n, 10 + 5 * k, true
FROM generate_series(0, 399) n, generate_series(0, 2) k;

INSERT INTO programmes (service_id, uuid, name, slug, description)
SELECT 1000000 + n, uuidv7(), 'Programme ' || k, 'programme-' || k, '' FROM generate_series(0, 399) n, generate_series(0, 1) k;

INSERT INTO schedules (id, name, time_zone) VALUES (1000000, 'Measured hours', 'America/New_York');

INSERT INTO schedule_hours (schedule_id, weekday, opens, closes) SELECT 1000000, n, '06:00', '22:00' FROM generate_series(0, 6) n;

INSERT INTO locations (id, uuid, name, slug, time_zone, currency, address, schedule_id)
VALUES (1000000, uuidv7(), 'Measured location', 'measured', 'America/New_York', 'USD', '', 1000000);

-- Half of the people come before the rooms in the order of resources, half after them.
INSERT INTO resources (id, kind)
SELECT 1000000 + n, CASE WHEN n BETWEEN 2500 AND 2699 THEN 'room' ELSE 'person' END FROM generate_series(0, 5199) n;

INSERT INTO rooms (id, uuid, location_id, resource_id, name, number, is_active)
SELECT 1000000 + n, uuidv7(), 1000000, 1002500 + n, 'Measured room ' || n, 1000000 + n, true FROM generate_series(0, 199) n;

INSERT INTO users (id, uuid, email, first_name, last_name, is_active, email_notifications, sms_notifications, biometric_enabled, resource_id)
SELECT 1000000 + n, uuidv7(), 'measured' || n || '@example.com', 'Person', n::text, true, true, false, false,
  1000000 + CASE WHEN n < 2500 THEN n ELSE n + 200 END
FROM generate_series(0, 4999) n;

INSERT INTO user_roles (user_id, role, is_approved) SELECT id, 'customer', true FROM users WHERE id >= 1000000;

-- The family of the session of person n, so that its token can be signed without asking.
INSERT INTO sessions (family, user_id, refresh_jti, door, expires_at)
SELECT lpad(to_hex(id), 32, '0')::uuid, id, gen_random_uuid(), 'graphql', now() + interval '1 day' FROM users WHERE id >= 1000000;

INSERT INTO bookings (id, uuid, kind, customer_id, service_id, location_id, status, payment_status, starts_at, ends_at, total_amount, currency)
SELECT 1000000 + n, uuidv7(), 'appointment', 1000000 + n % 5000, s.id, 1000000,
  CASE WHEN at.begins < now() THEN 'completed' ELSE 'confirmed' END, CASE WHEN n / 5000 % 10 = 9 THEN 'pending' ELSE 'charged' END,
  at.begins, at.begins + interval '1 hour', s.price, 'USD'
FROM generate_series(0, 99999) n
JOIN services s ON s.id = 1000000 + (n * 7 + n / 5000 * 13) % 400
CROSS JOIN LATERAL (
  SELECT (current_date - 24 + n / 3200 + make_time(6 + n / 200 % 16, 0, 0)) AT TIME ZONE 'America/New_York' AS begins
) at;

INSERT INTO appointments (booking_id, room_id) SELECT id, 1000000 + (id - 1000000) % 200 FROM bookings WHERE id >= 1000000;

INSERT INTO payments (uuid, user_id, booking_id, purpose, provider, provider_id, amount, currency, status, save_card, charged_at)
SELECT uuidv7(), customer_id, id, 'service', 'stripe', 'pi_measured_' || id, total_amount, currency, payment_status, false, starts_at
FROM bookings WHERE id BETWEEN 1000000 AND 1094999;

-- The exclusion constraint is made anew over all rows, which takes a fraction of the time of checking each.
ALTER TABLE reservations DROP CONSTRAINT ex_reservations_overlap;

INSERT INTO reservations (resource_id, during, booking_id)
SELECT r.resource_id, tstzrange(b.starts_at, b.ends_at), b.id
FROM bookings b JOIN appointments a ON a.booking_id = b.id JOIN rooms r ON r.id = a.room_id WHERE b.id >= 1000000
UNION ALL
SELECT u.resource_id, tstzrange(b.starts_at, b.ends_at), b.id FROM bookings b JOIN users u ON u.id = b.customer_id WHERE b.id >= 1000000;

ALTER TABLE reservations ADD CONSTRAINT ex_reservations_overlap
EXCLUDE USING gist (int8range(resource_id, resource_id, '[]') WITH &&, during WITH &&);
