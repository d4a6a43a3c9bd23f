/** Compiled, never run: what `createTypedDb` lets an app say, and what not. */

import { createTypedDb, type PendingMutation, type SyncEngine } from "../src/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_proof: Equal<A, B>): void {}

interface Todo {
  id: string;
  title: string;
  done: boolean;
}

interface AppSchema {
  entities: { Todo: Todo; Tag: { id: string } };
  functions: {
    add: { input: { title: string }; output: { id: string } };
    clear: { input: Record<string, never>; output: null };
    find: { input: { limit?: number }; output: Todo[] };
  };
  queries: Record<string, { input: unknown; output: unknown }>;
  searches: { Todo: { facets: "done"; sortable: "title" } };
}

const db = createTypedDb<AppSchema & Record<never, never>>();

export function Component(): void {
  const list = db.useQuery("Todo", { where: { done: false }, limit: 3 });
  same<typeof list.data, Todo[]>(true);
  db.useQuery("Todo", { where: { title: { $like: "m" }, $or: [{ done: true }, { title: null }] }, orderBy: [{ title: "asc" }] });
  const live = db.useLiveQuery("Todo", { where: { done: false }, order: { title: "desc" }, limit: 10 });
  same<typeof live.data, Todo[]>(true);
  const one = db.useQueryOne("Todo", "1");
  same<typeof one.data, Todo | null>(true);
  const pages = db.useInfiniteQuery("Todo", { pageSize: 5 });
  same<typeof pages.data, Todo[]>(true);
  const found = db.useSearch("Todo", { query: "milk", filters: { done: true }, facets: ["done"], sort: ["title", "asc"] });
  same<typeof found.hits, Todo[]>(true);
  same<typeof found.facetCounts, { done?: Record<string, number> }>(true);
  db.useSearch("Todo", { filters: { done: "true" } });
  const add = db.useMutation("add");
  same<typeof add.data, { id: string } | null>(true);
  same<Parameters<typeof add.mutate>, [args: { title: string }]>(true);
  same<ReturnType<typeof add.mutate>, Promise<{ id: string }>>(true);

  same<ReturnType<typeof db.useSync>, SyncEngine>(true);
  same<ReturnType<typeof db.useConnection>, "connected" | "connecting" | "offline">(true);
  const { id, sent } = db.create("Todo", { title: "milk" });
  same<[typeof id, typeof sent], [string, Promise<void>]>(true);
  same<ReturnType<typeof db.useUnsent>["count"], number>(true);
  same<ReturnType<typeof db.useFailedWrites>["failed"], readonly PendingMutation[]>(true);
  same<ReturnType<typeof db.useSession>["userId"], string | null>(true);
  db.usePresence({ at: 1 }).setPresence({ at: 2 });

  // @ts-expect-error no such field
  db.create("Todo", { titel: "milk" });
  // @ts-expect-error no such entity
  db.useQuery("Tudo");
  // @ts-expect-error no such field
  db.useQuery("Todo", { where: { titel: "milk" } });
  // @ts-expect-error of another type
  db.useQuery("Todo", { where: { done: "yes" } });
  // @ts-expect-error no such field to sort by
  db.useLiveQuery("Todo", { order: { titel: "asc" } });
  // @ts-expect-error no such entity
  db.useLiveQuery("Tudo");
  // @ts-expect-error no such entity
  db.useQueryOne("Tudo", "1");
  // @ts-expect-error it has no search
  db.useSearch("Tag", {});
  // @ts-expect-error no facet
  db.useSearch("Todo", { filters: { title: "milk" } });
  // @ts-expect-error no facet
  db.useSearch("Todo", { facets: ["title"] });
  // @ts-expect-error hits cannot be sorted by it
  db.useSearch("Todo", { sort: ["done", "asc"] });
  // @ts-expect-error of another type
  db.useSearch("Todo", { filters: { done: 1 } });
  // @ts-expect-error an app that says nothing of searches has none
  createTypedDb<Omit<AppSchema, "searches">>().useSearch("Todo", {});
  // @ts-expect-error no such function
  db.useMutation("delete");
  // @ts-expect-error the title is missing
  void add.mutate({});
  // @ts-expect-error and so is everything
  void add.mutate();
  void db.useMutation("clear").mutate();
  void db.useMutation("find").mutateAsync();
}

export async function operations(): Promise<void> {
  same<string, Awaited<ReturnType<typeof db.insert>>>(true);
  await db.insert("Todo", { title: "milk" });
  await db.update("Todo", "1", { done: true });
  await db.delete("Todo", "1");
  const { id } = await db.fn("add", { title: "milk" });
  same<typeof id, string>(true);
  same<null, Awaited<ReturnType<typeof db.fn<"clear">>>>(true);
  await db.fn("clear");
  await db.fn("find");
  await db.fn("find", { limit: 3 });

  // @ts-expect-error it takes nothing
  await db.fn("clear", { limit: 3 });
  // @ts-expect-error the title is missing
  await db.fn("add");
  // @ts-expect-error no such field
  await db.insert("Todo", { titel: "milk" });
  // @ts-expect-error of another type
  await db.update("Todo", "1", { done: "yes" });
  // @ts-expect-error no such entity
  await db.delete("Tudo", "1");
  // @ts-expect-error no such function
  await db.fn("sub", {});
  // @ts-expect-error a number is no title
  await db.fn("add", { title: 3 });
}
