// graphql-sse in distinct connections mode: queries, refusals, subscriptions, and going on after a cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-sse";
import { EVENTS, GRAPHQL, ROOMS, book, following, heard, signIn, wire } from "./server.js";

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

test("what happened while the stream was cut is told afterwards, once and in order", async (t) => {
  const token = await signIn();
  const line = await wire();
  t.after(line.close);
  const follower = following();
  const connected = heard();
  const client = createClient({
    url: line.address,
    headers: () => ({ authorization: `Bearer ${token}`, ...(follower.cursor && { "last-event-id": follower.cursor }) }),
    retry: () => new Promise((resolve) => setTimeout(resolve, 200)),
    on: { connected: connected.hear },
  });
  t.after(client.dispose);
  client.subscribe({ query: EVENTS }, { next: (answer) => follower.hear(answer), error: assert.fail, complete: () => {} });
  await connected.nth(1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const first = await book(token, 6);
  assert.equal(await follower.requested.nth(1), first);
  line.cut();
  const missed = await book(token, 7);
  assert.equal(await follower.requested.nth(2), missed);
  await connected.nth(2);
  const live = await book(token, 8);
  assert.equal(await follower.requested.nth(3), live);
  assert.deepEqual(follower.requested.all, [first, missed, live]);
});
