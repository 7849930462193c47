// The server under test, its demo people, and a wire to it that can be cut.

import assert from "node:assert/strict";
import net from "node:net";

export const SERVER = process.env.ATRIUM ?? "http://localhost:8000";
export const GRAPHQL = `${SERVER}/graphql`;
export const ROOMS = "query Rooms { rooms(first: 2) { totalCount nodes { id name } } }";
export const EVENTS = `subscription Events($after: String) {
  bookingEvents(after: $after) { cursor kind booking { reference } }
}`;

export async function ask(query, variables, token) {
  const answer = await fetch(GRAPHQL, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

export async function signIn(email = "user@example.com", password = "password123") {
  const query = "mutation($email: EmailAddress!, $password: String!) { signIn(email: $email, password: $password) { accessToken } }";
  return (await ask(query, { email, password })).signIn.accessToken;
}

/** Books the last free slot of a day, and returns its reference; cancel it to leave no trace. */
export async function book(token, days) {
  const date = new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const free = await ask("query($date: Date!) { availability(serviceId: 1, date: $date) { slots { startsAt } } }", { date }, token);
  const startsAt = free.availability.slots.at(-1).startsAt;
  const mutation = "mutation($startsAt: DateTime!) { bookAppointment(serviceId: 1, startsAt: $startsAt) { reference } }";
  return (await ask(mutation, { startsAt }, token)).bookAppointment.reference;
}

/** A relay to the server whose connections can be cut, as networks do. */
export async function wire() {
  const { hostname, port } = new URL(SERVER);
  const open = new Set();
  const relay = net.createServer((here) => {
    const there = net.connect(Number(port), hostname);
    for (const [one, other] of [[here, there], [there, here]]) {
      open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => (open.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise((listening) => relay.listen(0, "127.0.0.1", listening));
  return {
    address: `http://127.0.0.1:${relay.address().port}/graphql`,
    cut: () => open.forEach((each) => each.destroy()),
    close: () => (open.forEach((each) => each.destroy()), relay.close()),
  };
}

/** What a follower of bookings hears: where it is, what was requested, and that nothing is told twice. */
export function following() {
  const told = new Set();
  const requested = heard();
  return {
    told,
    requested,
    cursor: undefined,
    hear({ data: { bookingEvents: event } }) {
      assert.ok(!told.has(event.cursor), `${event.cursor} was told twice`);
      told.add((this.cursor = event.cursor));
      if (event.kind === "REQUESTED") requested.hear(event.booking.reference);
    },
  };
}

/** Collects what is told, for tests that wait for the nth of it. */
export function heard() {
  const all = [];
  let wake = () => {};
  return {
    all,
    hear: (each) => (all.push(each), wake()),
    async nth(number) {
      while (all.length < number) await new Promise((resolve) => (wake = resolve));
      return all[number - 1];
    },
  };
}
