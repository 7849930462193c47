// graphql-sse in distinct connections mode: queries, refusals, subscriptions, and going on after a cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-sse";
import { EVENTS, GRAPHQL, ROOMS, book, heard, signIn, wire } from "./server.js";

const collect = async (answers) => {
  const all = [];
  for await (const each of answers) all.push(each);
  return all;
};

test("a query is one event", async () => {
  const [answer, ...others] = await collect(createClient({ url: GRAPHQL }).iterate({ query: ROOMS }));
  assert.equal(answer.data.rooms.nodes.length, 2);
  assert.deepEqual(others, []);
});

test("an invalid document is told in the stream", async () => {
  const [answer] = await collect(createClient({ url: GRAPHQL }).iterate({ query: "{ nothing }" }));
  assert.equal(answer.errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
});

test("who is not signed in learns it", async () => {
  const [answer] = await collect(createClient({ url: GRAPHQL }).iterate({ query: EVENTS }));
  assert.equal(answer.errors[0].extensions.code, "UNAUTHENTICATED");
});

test("what happened while the stream was cut is told afterwards, once and in order", async () => {
  const token = await signIn();
  const line = await wire();
  const events = heard();
  const connected = heard();
  let last;
  const client = createClient({
    url: line.address,
    headers: () => ({ authorization: `Bearer ${token}`, ...(last && { "last-event-id": last }) }),
    retry: () => new Promise((resolve) => setTimeout(resolve, 200)),
    on: { connected: connected.hear },
  });
  client.subscribe(
    { query: EVENTS },
    { next: ({ data }) => ((last = data.bookingEvents.cursor), events.hear(data.bookingEvents)), error: assert.fail, complete: () => {} },
  );
  await connected.nth(1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const first = await book(token, 6);
  assert.equal((await events.nth(1)).booking.reference, first);
  line.cut();
  const missed = await book(token, 7);
  assert.equal((await events.nth(2)).booking.reference, missed);
  await connected.nth(2);
  const live = await book(token, 8);
  assert.equal((await events.nth(3)).booking.reference, live);
  assert.deepEqual(events.all.map((each) => each.booking.reference), [first, missed, live]);
  client.dispose();
  line.close();
});
