import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { createRunner, type PassResponse, workflow } from "../src/index";

const double = workflow<{ n: number }>("double", async (ctx, { step }) => step("double", () => 2 * ctx.input.n));
const request = { workflow_id: "wf_1", workflow_name: "double", input: { n: 4 }, current_step: 0, completed_steps: [] };

describe("a runner", () => {
  const log = spyOn(console, "log").mockImplementation(() => {});
  let server: ReturnType<typeof Bun.serve>;
  let guarded: ReturnType<typeof Bun.serve>;
  beforeAll(() => {
    server = createRunner([workflow("double", () => 0), double]).serve(0);
    guarded = createRunner([double]).serve(0, { secret: "s3cret" });
  });
  afterAll(async () => {
    await Promise.all([server.stop(true), guarded.stop(true)]);
    log.mockRestore();
  });

  const post = (url: URL, body: string, headers = {}) => fetch(url, { method: "POST", body, headers });

  test("runs a pass of the later of two workflows with one name, whatever the path", async () => {
    const response = await post(new URL("/any/path", server.url), JSON.stringify(request));

    expect(response.status).toBe(200);
    expect((await response.json()) as PassResponse).toMatchObject({ action: "step_complete", output: 8 });
  });

  test("answers an unknown workflow as a failure", async () => {
    const response = await post(server.url, JSON.stringify({ ...request, workflow_name: "nope" }));

    expect(await response.json()).toEqual({ action: "fail", error: "Unknown workflow: nope" });
  });

  test("takes nothing but POST", async () => {
    const response = await fetch(server.url);

    expect(response.status).toBe(405);
    expect(await response.json()).toEqual({ error: "Method not allowed" });
  });

  test("answers 500 to what is no JSON", async () => {
    const response = await post(server.url, "{");

    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ action: "fail" });
  });

  test("with a secret, runs nothing for those who do not have it", async () => {
    const body = JSON.stringify(request);

    expect((await post(guarded.url, body)).status).toBe(401);
    expect((await post(guarded.url, body, { authorization: "Bearer s3creT" })).status).toBe(401);
    expect((await post(guarded.url, body, { authorization: "Bearer s3cret" })).status).toBe(200);
  });
});
