// The audit suite of GraphQL over HTTP: whatever it must, should or may be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serverAudits } from "graphql-http";
import { GRAPHQL } from "./server.js";

for (const audit of serverAudits({ url: GRAPHQL })) {
  test(`${audit.id} ${audit.name}`, async () => {
    const found = await audit.fn();
    assert.equal(found.status, "ok", found.reason);
  });
}
