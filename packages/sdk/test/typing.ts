/** Compiled, never run: what an app's schema may and may not say to the type checker. */

import {
  buildManifest, definePlugin, defineRoute, entity, field, type Infer, type InferInsert, policy, query, relation,
  schedule, type TreeNode,
} from "../src/index";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_proof: Equal<A, B>): void {}

const User = entity("User", { email: field.string().unique(), passwordHash: field.string().optional() });

export const Todo = entity(
  "Todo",
  {
    title: field.string(),
    notes: field.richtext().optional(),
    votes: field.int().crdt("counter"),
    price: field.number(),
    done: field.boolean(),
    due: field.datetime().optional(),
    ownerId: field.id(User),
    tags: field.string().optional().crdt("movable-list"),
    outline: field.string().crdt("tree"),
  },
  {
    indexes: [{ name: "by_owner", fields: ["ownerId", "done"], unique: false }],
    relations: [
      relation({ name: "owner", target: "User", field: "ownerId" }),
      { name: "creator", target: User, field: "ownerId", many: false },
      relation({ name: "comments", target: "Comment", field: "todoId", many: true }),
    ],
    search: { text: ["title", "notes"], facets: ["done", "ownerId"], sortable: ["votes", "due"], language: "english" },
    crdt: true,
  },
);

same<Infer<typeof Todo>, {
  id: string;
  title: string;
  notes: string | null;
  votes: number;
  price: number;
  done: boolean;
  due: string | null;
  ownerId: string;
  tags: string[] | null;
  outline: TreeNode[];
}>(true);
same<InferInsert<typeof User>, { id?: string; email: string; passwordHash?: string | null }>(true);
same<(typeof Todo.fields.ownerId)["_def"]["type"], "id(User)">(true);
same<typeof Todo.name, "Todo">(true);

entity("A", { title: field.string() }, {
  // @ts-expect-error an index names a field that is not declared
  indexes: [{ name: "by_titel", fields: ["titel"], unique: false }],
});
entity("A", { bId: field.id("B") }, {
  // @ts-expect-error a relation to one goes by a field of the entity itself
  relations: [relation({ name: "b", target: "B", field: "bid" })],
});
entity("A", { title: field.string() }, {
  // @ts-expect-error search names a field that is not declared
  search: { text: ["body"] },
});
entity("A", { count: field.int() }, {
  // @ts-expect-error words are in texts only
  search: { text: ["count"] },
});
entity("A", { body: field.richtext() }, {
  // @ts-expect-error a long text is nothing to sort by
  search: { sortable: ["body"] },
});
entity("A", { tags: field.string().crdt("list") }, {
  // @ts-expect-error nor is an array
  search: { facets: ["tags"] },
});
// @ts-expect-error only texts are collaborative text
field.int().crdt("text");
// @ts-expect-error only numbers count
field.string().crdt("counter");
// @ts-expect-error no such kind
field.string().crdt("map");
// @ts-expect-error no such mode
defineRoute({ path: "/", mode: "ssr" });
// @ts-expect-error no such type
query("q", { input: [{ name: "a", type: "text" }] });
// @ts-expect-error a misspelt rule would be no rule
policy({ name: "p", entity: "Todo", allowReed: "true" });
// @ts-expect-error a misspelt option of a relation
relation({ name: "x", target: "B", field: "b", meny: true });
// @ts-expect-error missed runs are skipped or made up for once
schedule({ name: "s", cron: "* * * * *", function: "f", missed: "all" });
schedule({
  name: "s",
  cron: "* * * * *",
  function: "f",
  // @ts-expect-error arguments are JSON
  args: { at: new Date() },
});

const audit = definePlugin({ name: "audit", entities: [entity("AuditEntry", { what: field.string() })] });

export const manifest = buildManifest({
  name: "typed",
  version: "1",
  entities: [User, Todo],
  routes: [defineRoute({ path: "/", mode: "static" })],
  policies: [policy({ name: "own", entity: "Todo", allow: "auth.userId == data.ownerId" })],
  plugins: [audit],
});

// @ts-expect-error routes are required, if only as []
buildManifest({ name: "a", version: "1", entities: [User] });
