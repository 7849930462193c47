// graphql-ws: queries, subscriptions, and going on after a cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { EVENTS, ROOMS, book, following, signIn, wire } from "./server.js";

test("a query is answered over a socket", async () => {
  const client = createClient({ url: "ws" + process.env.ATRIUM.slice(4) + "/graphql", webSocketImpl: WebSocket });
  const answers = [];
  for await (const each of client.iterate({ query: ROOMS })) answers.push(each);
  await client.dispose();
  assert.equal(answers.length, 1);
  assert.equal(answers[0].data.rooms.nodes.length, 2);
});

test("what happened while the socket was cut is told afterwards", async (t) => {
  const token = await signIn();
  const line = await wire();
  t.after(line.close);
  const follower = following();
  const client = createClient({
    url: line.address.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const follow = () =>
    client.subscribe(
      { query: EVENTS, variables: { after: follower.cursor } },
      { next: (answer) => follower.hear(answer), error: () => {}, complete: () => {} },
    );
  t.after(() => client.dispose());
  const connected = new Promise((ready) => client.on("connected", ready));
  follow();
  await connected;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const first = await book(token, 4);
  assert.equal(await follower.requested.nth(1), first);
  line.cut();
  const missed = await book(token, 5);
  follow();
  assert.equal(await follower.requested.nth(2), missed);
});
