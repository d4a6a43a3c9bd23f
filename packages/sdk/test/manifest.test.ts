/** What each builder adds to the manifest, and what it leaves out. */

import { describe, expect, test } from "bun:test";
import {
  action, auth, buildManifest, definePlugin, defineRoute, entitiesToManifest, entity, field, MANIFEST_VERSION, policy,
  policiesToManifest, queriesToManifest, query, relation, routesToManifest, schedule, schedulesToManifest,
} from "../src/index";

const User = entity("User", { email: field.string().unique() });
const DEFAULT_AUTH = {
  user: { entity: "User", expose: [], hide: [] },
  session: {
    expires_in: 2592000,
    cookie_cache: { enabled: false, max_age: 300, claims: ["is_admin", "tenant_id"] },
  },
  trusted_origins: [],
};

/** What is written: JSON has no undefined. */
function wire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe("an entity", () => {
  test("has its fields in the order they were declared, and no key it does not need", () => {
    const [written] = entitiesToManifest([entity("E", { b: field.int(), a: field.bool() })]);

    expect(written?.fields.map(({ name }) => name)).toEqual(["b", "a"]);
    expect(Object.keys(written ?? {})).toEqual(["name", "fields", "indexes"]);
    expect(written?.indexes).toEqual([]);
  });

  test("has indexes and relations, and many only when it was given", () => {
    const [written] = entitiesToManifest([
      entity("Item", { ownerId: field.id("User") }, {
        indexes: [{ name: "by_owner", fields: ["ownerId"], unique: false }],
        relations: [
          relation({ name: "owner", target: "User", field: "ownerId" }),
          relation({ name: "same", target: User, field: "ownerId", many: false }),
          relation({ name: "parts", target: "Part", field: "itemId", many: true }),
        ],
      }),
    ]);

    expect(written?.indexes).toEqual([{ name: "by_owner", fields: ["ownerId"], unique: false }]);
    expect(written?.relations).toEqual([
      { name: "owner", target: "User", field: "ownerId" },
      { name: "same", target: "User", field: "ownerId", many: false },
      { name: "parts", target: "Part", field: "itemId", many: true },
    ]);
  });

  test.each([
    [{ text: ["a"] }, { text: ["a"], facets: [], sortable: [] }],
    [{ facets: ["a"], language: "german" }, { text: [], facets: ["a"], sortable: [], language: "german" }],
    [{}, undefined],
    [{ text: [] }, undefined],
    [{ language: "german" }, undefined],
  ] as const)("search %j", (search, expected) => {
    const [written] = entitiesToManifest([entity("E", { a: field.string() }, { search })]);

    expect(wire(written?.search ?? null)).toEqual(wire(expected ?? null));
    expect("search" in (written ?? {})).toBe(expected !== undefined);
  });

  test.each([[undefined], [false], [true]])("crdt %p is written only when it was given", (crdt) => {
    const [written] = entitiesToManifest([entity("E", {}, crdt === undefined ? {} : { crdt })]);

    expect(written?.crdt).toBe(crdt);
    expect("crdt" in (written ?? {})).toBe(crdt !== undefined);
  });
});

describe("what may be called", () => {
  test("a route has query and auth only when it has them", () => {
    const routes = routesToManifest([
      defineRoute({ path: "/", mode: "static" }),
      defineRoute({ path: "/items/:sku", mode: "server", query: "itemBySku", auth: "public" }),
      defineRoute({ path: "/live", mode: "live", query: "" }),
    ]);

    expect(routes).toEqual([
      { path: "/", mode: "static" },
      { path: "/items/:sku", mode: "server", query: "itemBySku", auth: "public" },
      { path: "/live", mode: "live" },
    ]);
  });

  test("an input is complete, and absent when it is empty", () => {
    const queries = queriesToManifest([
      query("bySku", { input: [{ name: "sku", type: "string" }, { name: "all", type: "bool", optional: true }] }),
      query("none", { input: [] }),
      query("bare"),
    ]);

    expect(queries).toEqual([
      {
        name: "bySku",
        input: [
          { name: "sku", type: "string", optional: false, unique: false },
          { name: "all", type: "bool", optional: true, unique: false },
        ],
      },
      { name: "none" },
      { name: "bare" },
    ]);
  });

  test("a policy has the keys that say something, and no others", () => {
    const policies = policiesToManifest([
      policy({ name: "reading", entity: "Item", allowRead: "true" }),
      policy({ name: "acting", action: "restock", allow: "auth.isAdmin", allowWrite: "" }),
    ]);

    expect(policies.map((written) => Object.entries(written))).toEqual([
      [["name", "reading"], ["entity", "Item"], ["allowRead", "true"]],
      [["name", "acting"], ["action", "restock"], ["allow", "auth.isAdmin"]],
    ]);
  });

  test("a schedule is complete", () => {
    const schedules = schedulesToManifest([
      schedule({ name: "nightly", cron: "0 3 * * *", function: "sweep" }),
      schedule({
        name: "report", cron: "0 8 * * 1", timezone: "Europe/Berlin", function: "report", args: { to: "x" }, missed: "once",
      }),
    ]);

    expect(schedules).toEqual([
      { name: "nightly", cron: "0 3 * * *", timezone: "UTC", function: "sweep", args: {}, missed: "skip" },
      {
        name: "report", cron: "0 8 * * 1", timezone: "Europe/Berlin", function: "report", args: { to: "x" }, missed: "once",
      },
    ]);
  });
});

describe("auth", () => {
  test("of nothing is the default", () => {
    expect(auth()).toEqual(DEFAULT_AUTH);
    expect(auth({})).toEqual(DEFAULT_AUTH);
  });

  test("differs where something was given", () => {
    expect(auth({ user: { hide: ["phone"] }, session: { cookieCache: { claims: ["a"] } } })).toEqual({
      ...DEFAULT_AUTH,
      user: { entity: "User", expose: [], hide: ["phone"] },
      session: { expires_in: 2592000, cookie_cache: { enabled: false, max_age: 300, claims: ["a"] } },
    });
  });

  test("takes every key", () => {
    const block = auth({
      user: { entity: "Account", expose: ["name"], hide: ["phone"] },
      session: { expiresIn: 60, cookieCache: { enabled: true, maxAge: 5, claims: [] } },
      trustedOrigins: ["https://a.example"],
    });

    expect(block).toEqual({
      user: { entity: "Account", expose: ["name"], hide: ["phone"] },
      session: { expires_in: 60, cookie_cache: { enabled: true, max_age: 5, claims: [] } },
      trusted_origins: ["https://a.example"],
    });
  });
});

describe("a manifest", () => {
  test("of the least is complete", () => {
    expect(wire(buildManifest({ name: "a", version: "1", entities: [User], routes: [] }))).toEqual({
      manifest_version: MANIFEST_VERSION,
      name: "a",
      version: "1",
      entities: [
        { name: "User", fields: [{ name: "email", type: "string", optional: false, unique: true }], indexes: [] },
      ],
      routes: [],
      queries: [],
      actions: [],
      policies: [],
      auth: DEFAULT_AUTH,
    });
  });

  test("has schedules when there are any", () => {
    const nightly = schedule({ name: "nightly", cron: "0 3 * * *", function: "sweep" });

    const manifest = buildManifest({ name: "a", version: "1", entities: [User], routes: [], schedules: [nightly] });

    expect(manifest.schedules).toEqual(schedulesToManifest([nightly]));
  });

  test("takes what plugins declare, after the app's own", () => {
    const audit = definePlugin({
      name: "audit",
      entities: [entity("AuditEntry", { what: field.string() })],
      policies: [policy({ name: "audit_closed", entity: "AuditEntry", allow: "false" })],
      actions: [action("forget")],
      queries: [query("recent")],
      routes: [defineRoute({ path: "/audit", mode: "server" })],
      schedules: [schedule({ name: "sweep", cron: "0 0 * * *", function: "sweepAudit" })],
    });

    const manifest = buildManifest({ name: "a", version: "1", entities: [User], routes: [], plugins: [audit] });

    expect(manifest.entities.map(({ name }) => name)).toEqual(["User", "AuditEntry"]);
    const { policies, actions, queries, routes, schedules = [] } = manifest;
    expect([...policies, ...actions, ...queries, ...schedules].map(({ name }) => name)).toEqual([
      "audit_closed", "forget", "recent", "sweep",
    ]);
    expect(routes).toEqual([{ path: "/audit", mode: "server" }]);
  });

  test("is refused when a plugin expects code to run that would not", () => {
    const hooked = definePlugin({ name: "hooked", hooks: { beforeInsert: () => {} } });

    const build = () => buildManifest({ name: "a", version: "1", entities: [User], routes: [], plugins: [hooked] });

    expect(build).toThrow(/Plugin "hooked" has hooks \(beforeInsert\)/);
  });
});
