/** What a typed client of tests accepts and answers; checked by the type checker alone. */

import { mutation, query, v } from "../src/index";
import type { TestServer } from "../src/testing";

const addTodo = mutation({ args: { title: v.string() }, handler: async () => ({ id: "1" }) });
const count = query({ handler: () => 1 });

export async function typed(server: TestServer<{ addTodo: typeof addTodo; count: typeof count }>): Promise<void> {
  const todo: { id: string } = await server.as("ann").call("addTodo", { title: "Milk" });
  const number: number = await server.anonymous.call("count");
  const { value }: { value: { id: string } } = await server.guest().stream("addTodo", { title: todo.id + number });
  console.log(value);
  // @ts-expect-error the title is missing
  await server.admin.call("addTodo", {});
  // @ts-expect-error there is no such function
  await server.admin.call("addTood", { title: "Milk" });
}

export async function untyped(server: TestServer): Promise<void> {
  const todo = await server.as("ann").call<{ id: string }>("addTodo", { title: "Milk" });
  const unknown: unknown = await server.admin.call("anything");
  console.log(todo.id, unknown);
}
