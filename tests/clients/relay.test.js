// relay-compiler on the committed schema, and its runtime on what it compiled: a connection, page by page.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import runtime from "relay-runtime";
import { ask } from "./server.js";

const { Environment, Network, RecordSource, Store, fetchQuery, getRequest } = runtime;

test("a connection is compiled, and read page by page", async () => {
  execFileSync("node_modules/.bin/relay-compiler", ["relay.config.json"], { stdio: "pipe" });
  const { default: first } = await import("./relay/__generated__/RoomsQuery.graphql.js");
  const { default: next } = await import("./relay/__generated__/RoomsNextQuery.graphql.js");
  const network = Network.create(async ({ text }, variables) => ({ data: await ask(text, variables) }));
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  await fetchQuery(environment, getRequest(first), {}).toPromise();
  const pages = () => environment.getStore().getSource().get("client:root:__Rooms_rooms_connection");
  const edges = () => pages().edges.__refs.length;
  assert.equal(edges(), 1);
  const info = environment.getStore().getSource().get(pages().pageInfo.__ref);
  assert.equal(info.hasNextPage, true);
  await fetchQuery(environment, getRequest(next), { count: 1, cursor: info.endCursor }).toPromise();
  assert.equal(edges(), 2);
});
