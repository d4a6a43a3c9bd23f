/**
 * One user at an editor, as a program of its own: edits the row in PYLON_TEST_ROW beside others, says when it is done
 * what it sees. Run by live.test.ts, several at once.
 */

import { act, renderHook, waitFor } from "../../react/test/dom.ts";
import { db, init } from "@pylonsync/react";
import { freshClient } from "../../react/test/fakes.ts";
import {
  globalRegistry, useCollabCounter, useCollabMovableList, useCollabRow, useCollabStatus, useCollabText, useCollabTree,
} from "../src/index.ts";

const { PYLON_TEST_URL: url = "", PYLON_TEST_ROW: row = "", PYLON_TEST_TOKEN: token = "" } = process.env;
const [name = "", ...others] = (process.env["PYLON_TEST_EDITORS"] ?? "").split(",");
const PATIENCE = { timeout: 15_000 };
const EDITS = 25;

freshClient({ pylon_token: token });
init({ baseUrl: url, wsUrl: `${url.replace("http", "ws")}/api/sync/ws` });

const { result } = renderHook(() => ({
  text: useCollabText("Note", row, "body"),
  votes: useCollabCounter("Note", row, "votes"),
  steps: useCollabMovableList<string>("Note", row, "steps"),
  outline: useCollabTree<{ name: string }>("Note", row, "outline"),
  fields: useCollabRow("Note", row),
  status: useCollabStatus("Note", row),
}));
/** Wait for something; when it does not come, say how things stood. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const begun = performance.now();
  await waitFor(() => {
    if (!holds()) throw new Error("not yet");
  }, PATIENCE).catch(async () => {
    const { status, fields, votes, text } = result.current;
    const shown = { text: text[0], votes: votes[0], fields: fields[0] };
    const { body, votes: count, row: plain } = globalRegistry.doc("Note", row).toJSON() as Record<string, unknown>;
    const stored = await db.sync.request(`/api/entities/Note/${row}`).catch((error: unknown) => error);
    const state = { status, shown, held: { text: body, votes: count, fields: plain }, stored, link: db.sync.connection, pulled: db.sync.status };
    throw new Error(`${name} waited ${Math.round(performance.now() - begun)} ms for ${what}: ${Bun.inspect(state)}`);
  });
}

await until("the row's document", () => db.sync.connected && result.current.text[0].startsWith("start;"));

for (let n = 0; n < EDITS; n++) {
  act(() => {
    const { text, votes, steps, outline, fields } = result.current;
    const words = text[0].split(";").length;
    const before = text[0].split(";").slice(0, 1 + Math.floor(Math.random() * (words - 1))).join(";");
    const at = before.length + (text[0][before.length] === ";" ? 1 : 0);
    const word = `${name}${n - 2};`;
    if (n % 5 === 4) text[2]({ at: text[0].indexOf(word), remove: word.length });
    else if (n === 0) text[1](`${text[0]}${name}0;`);
    else text[2]({ at, insert: `${name}${n};` });
    votes[1]();
    if (n % 5 === 0) steps.insert(0, `${name}${n}`);
    if (n % 5 === 1) steps.move(0, steps.items.length - 1);
    if (n % 8 === 0) outline.create({ name: `${name}${n}` }, outline.nodes[0]?.id);
    if (n % 8 === 1) fields[1]({ [`title_${name}`]: `${name}${n}` });
  });
  await Bun.sleep(Math.random() * 20);
}
act(() => result.current.fields[1]({ [`title_${name}`]: "done" }));

await until("the others to be done, and the server to have all", () => {
  const [fields] = result.current.fields;
  const done = [name, ...others].every((editor) => fields[`title_${editor}`] === "done");
  return done && !result.current.status.unsent;
});
const { text, votes, steps, outline, fields } = result.current;
const names = (nodes: typeof outline.nodes): unknown[] => nodes.map(({ data, children }) => [data.name, names(children)]);
console.log(JSON.stringify({
  body: text[0], votes: votes[0], steps: steps.items, outline: names(outline.nodes), fields: fields[0],
}));
process.exit(0);
