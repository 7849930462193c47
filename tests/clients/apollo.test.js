// Apollo Client: queries, mutations, refusals, persisted queries by POST and GET, @defer and @stream.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQL17Alpha9Handler } from "@apollo/client/incremental";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GRAPHQL, ROOMS, signIn } from "./server.js";

const make = (options = {}, ...before) =>
  new ApolloClient({
    cache: new InMemoryCache(),
    incrementalHandler: new GraphQL17Alpha9Handler(),
    link: ApolloLink.from([...before, new HttpLink({ uri: GRAPHQL, ...options })]),
  });

test("a query is answered", async () => {
  const { data } = await make().query({ query: gql(ROOMS) });
  assert.equal(data.rooms.nodes.length, 2);
});

test("a mutation is answered", async () => {
  const mutation = gql`
    mutation SignIn { signIn(email: "user@example.com", password: "password123") { user { email } } }
  `;
  const { data } = await make().mutate({ mutation });
  assert.equal(data.signIn.user.email, "user@example.com");
});

test("refusals bear their codes, before and after the operation runs", async () => {
  for (const [text, code] of [["{ me { email } }", "UNAUTHENTICATED"], ["{ nothing }", "GRAPHQL_VALIDATION_FAILED"]]) {
    const { error } = await make().query({ query: gql(text), errorPolicy: "all" });
    assert.ok(CombinedGraphQLErrors.is(error), String(error));
    assert.equal(error.errors[0].extensions.code, code);
  }
});

for (const useGETForHashedQueries of [false, true]) {
  test(`a persisted query is sent in full once, then by its hash${useGETForHashedQueries ? " with GET" : ""}`, async () => {
    const sent = [];
    const spy = (url, options) => (sent.push({ method: options.method, hasText: `${url}${options.body}`.includes("rooms(") || `${url}`.includes("rooms%28") }), fetch(url, options));
    const sha256 = (text) => createHash("sha256").update(text).digest("hex");
    const query = gql(ROOMS.replace("Rooms", useGETForHashedQueries ? "RoomsByGet" : "RoomsByPost"));
    for (const _ of [1, 2]) {
      const { data } = await make({ fetch: spy }, new PersistedQueryLink({ sha256, useGETForHashedQueries })).query({ query });
      assert.equal(data.rooms.nodes.length, 2);
    }
    assert.deepEqual(sent.map((each) => each.hasText), [false, true, false]);
    assert.equal(sent[2].method, useGETForHashedQueries ? "GET" : "POST");
  });
}

test("deferred fields arrive in parts", async () => {
  const query = gql`
    query Deferred { rooms(first: 2) { totalCount ... @defer(label: "later") { nodes { id name } } } }
  `;
  const states = [];
  const client = make({ headers: { authorization: `Bearer ${await signIn()}` } });
  await new Promise((resolve, reject) => {
    client.watchQuery({ query }).subscribe({
      next: (state) => {
        states.push(state);
        if (!state.loading && state.dataState === "complete") resolve();
      },
      error: reject,
    });
  });
  assert.ok(states.some((each) => each.dataState === "streaming" && each.data.rooms.totalCount && !each.data.rooms.nodes));
  assert.equal(states.at(-1).data.rooms.nodes.length, 2);
});

test("streamed items arrive in parts", async () => {
  const { data } = await make().query({ query: gql`query Streamed { rooms(first: 3) { nodes @stream(initialCount: 1) { id name } } }` });
  assert.equal(data.rooms.nodes.length, 3);
});
