// urql with the exchanges it comes with, which mention text/event-stream in every request, and with persisted queries.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { pipe, subscribe } from "wonka";
import { EVENTS, GRAPHQL, ROOMS, book, heard, signIn } from "./server.js";

const make = (options = {}, ...before) => new Client({ url: GRAPHQL, exchanges: [cacheExchange, ...before, fetchExchange], ...options });

for (const preferGetMethod of [false, true]) {
  test(`a query is answered by ${preferGetMethod ? "GET" : "POST"}`, async () => {
    const { data, error } = await make({ preferGetMethod }).query(ROOMS, {}).toPromise();
    assert.equal(error, undefined);
    assert.equal(data.rooms.nodes.length, 2);
  });
}

test("a mutation is answered", async () => {
  const mutation = `mutation { signIn(email: "user@example.com", password: "password123") { user { email } } }`;
  const { data, error } = await make({ preferGetMethod: true }).mutation(mutation, {}).toPromise();
  assert.equal(error, undefined);
  assert.equal(data.signIn.user.email, "user@example.com");
});

test("refusals bear their codes", async () => {
  for (const [text, code] of [["{ me { email } }", "UNAUTHENTICATED"], ["{ nothing }", "GRAPHQL_VALIDATION_FAILED"]]) {
    const { error } = await make().query(text, {}).toPromise();
    assert.equal(error.graphQLErrors[0].extensions.code, code);
  }
});

test("a persisted query is sent in full once, then by its hash", async () => {
  const sent = [];
  const spy = (url, options) => (sent.push(`${url}${options.body ?? ""}`.includes("rooms")), fetch(url, options));
  const query = ROOMS.replace("Rooms", "RoomsOfUrql");
  for (const _ of [1, 2]) {
    const client = make({ fetch: spy }, persistedExchange({ preferGetForPersistedQueries: true }));
    const { data, error } = await client.query(query, {}).toPromise();
    assert.equal(error, undefined);
    assert.equal(data.rooms.nodes.length, 2);
  }
  assert.deepEqual(sent, [false, true, false]);
});

test("deferred fields arrive in parts", async () => {
  const query = "query { rooms(first: 2) { totalCount ... @defer { nodes { id name } } } }";
  const states = heard();
  pipe(make().query(query, {}), subscribe(({ data, error, hasNext }) => states.hear({ data: structuredClone(data), error, hasNext })));
  const first = await states.nth(1);
  assert.equal(first.error, undefined);
  assert.equal(first.hasNext, true);
  assert.equal(first.data.rooms.nodes, undefined);
  while (states.all.at(-1).hasNext) await states.nth(states.all.length + 1);
  assert.equal(states.all.at(-1).data.rooms.nodes.length, 2);
});

test("a subscription is followed by the exchange that fetches", async () => {
  const token = await signIn();
  const events = heard();
  const client = make({ fetchSubscriptions: true, fetchOptions: { headers: { authorization: `Bearer ${token}` } } });
  const { unsubscribe } = pipe(client.subscription(EVENTS, {}), subscribe(events.hear));
  await new Promise((resolve) => setTimeout(resolve, 700));
  const reference = await book(token, 9);
  const { data, error } = await events.nth(1);
  assert.equal(error, undefined);
  assert.equal(data.bookingEvents.booking.reference, reference);
  unsubscribe();
});
