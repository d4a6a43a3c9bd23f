/** One list: who has it, its todos, and the one that is open. */

import { useEffect, useState } from "react";
import { addTodo, deleteTodo, renameList, restoreTodo } from "./actions.ts";
import { Avatar } from "./Avatar.tsx";
import { EditableText } from "./EditableText.tsx";
import { PlusIcon } from "./icons.tsx";
import { ListMenu } from "./ListMenu.tsx";
import { NewEntry } from "./NewEntry.tsx";
import { peopleOf, sameSeats } from "./people.ts";
import { usePresence } from "./presence.ts";
import { db, type List, type Todo } from "./schema.ts";
import type { Me } from "./session.ts";
import { TodoDetail } from "./TodoDetail.tsx";
import { TodoList } from "./TodoList.tsx";
import { UndoNotice } from "./UndoNotice.tsx";
import { useUnsentRows } from "./useUnsentRows.ts";

/** Those who join are given their seats one todo after the other; that is no reason to do it again. */
const STRAY_MS = 1_000;

interface Props {
  me: Me;
  list: List;
  todoId: string | null;
}

export function ListView({ me, list, todoId }: Props) {
  const { data: todos } = db.useQuery("Todo", {
    where: { listId: list.id },
    orderBy: [{ position: "asc" }, { id: "asc" }],
  });
  const present = usePresence(list.id, todoId);
  const [deleted, setDeleted] = useState<Todo | null>(null);
  const open = todos.find(({ id }) => id === todoId);
  useSeats(me, list, todos);

  function remove(todo: Todo): void {
    deleteTodo(todo);
    setDeleted(todo);
  }

  return (
    <>
      <main className="list">
        <header className="list-header">
          <EditableText
            className="list-name"
            label="Name of the list"
            text={list.title}
            maxLength={60}
            onChange={(title) => renameList(list, title)}
          />
          <ul className="people" aria-label="People">
            {peopleOf(list).map((person) => (
              <li key={person.userId}>
                <Avatar person={person} here={present.has(person.userId) || person.userId === me.userId} />
              </li>
            ))}
          </ul>
          <ListMenu me={me} list={list} todos={todos} />
        </header>
        <Progress todos={todos} />
        <NewEntry
          label="Add a todo"
          icon={<PlusIcon />}
          maxLength={200}
          onAdd={(title) => addTodo(list, todos, title)}
        />
        <TodoList list={list} todos={todos} open={open} present={present} onDelete={remove} />
        {deleted !== null && (
          <UndoNotice
            key={deleted.id}
            text={`Deleted “${deleted.title}”`}
            onUndo={() => restoreTodo(deleted)}
            onEnd={() => setDeleted(null)}
          />
        )}
      </main>
      {open !== undefined && <TodoDetail key={open.id} list={list} todo={open} present={present} />}
    </>
  );
}

function Progress({ todos }: { todos: readonly Todo[] }) {
  const done = todos.filter((todo) => todo.done).length;
  const text = todos.length === 0 ? "Nothing to do yet" : `${done} of ${todos.length} done`;
  return (
    <p className="progress">
      <progress value={done} max={todos.length || 1} aria-hidden="true" />
      {text}
    </p>
  );
}

/**
 * A todo that was written while somebody joined the list does not know them yet. Whoever sees that has the server seat
 * them, which is what joining does, for somebody who has joined as well.
 */
function useSeats(me: Me, list: List, todos: readonly Todo[]): void {
  const connection = db.useConnection();
  const unsent = useUnsentRows();
  const strays = todos.filter((todo) => !unsent.has(todo.id) && !sameSeats(todo, list));
  const key = strays.map(({ id }) => id).join();
  useEffect(() => {
    if (key === "" || connection !== "connected") return;
    const join = (): void => {
      // Without an answer it is done with the next connection.
      db.fn("join", { listId: list.id, name: me.name }).catch(() => undefined);
    };
    const timer = setTimeout(join, STRAY_MS);
    return () => clearTimeout(timer);
  }, [key, connection, list.id, me.name]);
}
