/**
 * What a person can do. All of it shows at once and works offline: it is queued and sent when that is possible, so
 * nobody waits for the promises.
 */

import { go, hrefOf } from "./route.ts";
import { seatedAlone, seatsOf } from "./people.ts";
import { moved, topPosition } from "./position.ts";
import { db, type List, type Todo } from "./schema.ts";
import type { Me } from "./session.ts";

export function createList(me: Me, title: string): void {
  const { id } = db.create("List", { id: freshId(), title, createdAt: new Date().toISOString(), ...seatedAlone(me) });
  go(hrefOf(id));
}

export function renameList(list: List, title: string): void {
  void db.update("List", list.id, { title });
}

export function deleteList(list: List, todos: readonly Todo[]): void {
  for (const { id } of todos) void db.delete("Todo", id);
  void db.delete("List", list.id);
  go("#/");
}

export function addTodo(list: List, todos: readonly Todo[], title: string): void {
  const position = topPosition(todos);
  const todo = { listId: list.id, title, done: false, position, notes: "", ...seatsOf(list) };
  db.create("Todo", todo);
}

export function renameTodo(todo: Todo, title: string): void {
  void db.update("Todo", todo.id, { title });
}

export function tick(todo: Todo, done: boolean): void {
  void db.update("Todo", todo.id, { done });
}

export function deleteTodo(todo: Todo): void {
  void db.delete("Todo", todo.id);
}

/** As a new row: the id of a deleted one does not come back. */
export function restoreTodo(todo: Todo): void {
  const { id: _, ...rest } = todo;
  db.create("Todo", rest);
}

export function moveTodo(todos: readonly Todo[], from: number, to: number): void {
  for (const [id, position] of moved(todos, from, to)) void db.update("Todo", id, { position });
}

/** Random to the last bit: a list's id is all one needs to join it. */
function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
