// The JavaScript of docs/transports.md, as it stands there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SERVER, book, signIn } from "./server.js";

const text = readFileSync("../../docs/transports.md", "utf8").replaceAll("http://localhost:8000", SERVER);
const [following, ...persisted] = [...text.matchAll(/```js\n(.*?)```/gs)].map((each) => each[1]);

function run(code) {
  const program = spawn("node", ["--input-type=module", "--eval", code], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  let wake = () => {};
  program.stdout.on("data", (part) => ((told += part), wake()));
  const ended = new Promise((resolve) => program.on("exit", resolve));
  ended.then(() => wake());
  return {
    program,
    async says(words) {
      while (!told.includes(words)) {
        assert.equal(program.exitCode, null, `${words} is not in: ${told}`);
        await new Promise((resolve) => (wake = resolve));
      }
    },
  };
}

for (const code of persisted) {
  test(`the plans are shown by ${code.match(/from "(.*)"/)[1]}`, async () => {
    await run(code).says("Mensuite");
  });
}

test("a booking is shown as it happens", async (t) => {
  const follower = run(following);
  t.after(() => follower.program.kill());
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const reference = await book(await signIn(), 10);
  await follower.says(reference);
});
