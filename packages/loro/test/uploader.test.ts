import { expect, test } from "bun:test";
import { LoroDoc } from "loro-crdt";
import { Uploader } from "../src/uploader.ts";
import { versionOf } from "../src/versions.ts";

test("an edit made while a request is under way is unsent, also when the server has told of what that carries", async () => {
  const doc = new LoroDoc();
  const answers: (() => void)[] = [];
  const told: boolean[] = [];
  const uploader = new Uploader(doc, {
    post: () => new Promise((resolve) => void answers.push(resolve)),
    rowIsQueued: () => false,
    resubscribe: () => undefined,
    changed: () => told.push(uploader.status.unsent),
  });
  const edit = (text: string): void => {
    doc.getText("body").insert(0, text);
    doc.commit();
    void uploader.send();
  };

  edit("first");
  uploader.serverHolds(versionOf(doc));
  expect(uploader.status.unsent).toBe(false);
  edit("second");

  expect(uploader.status.unsent).toBe(true);
  answers.shift()!();
  await Bun.sleep(0);
  expect(uploader.status.unsent).toBe(true);
  answers.shift()!();
  await Bun.sleep(0);
  expect(told).toEqual([true, false, true, false]);
});
