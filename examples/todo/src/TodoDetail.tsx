/** The todo that is open: its title and the notes that everybody may write in at once. */

import { lazy, Suspense } from "react";
import { renameTodo, tick } from "./actions.ts";
import { Avatar } from "./Avatar.tsx";
import { EditableText } from "./EditableText.tsx";
import { CloseIcon } from "./icons.tsx";
import { peopleOf } from "./people.ts";
import type { Present } from "./presence.ts";
import { hrefOf } from "./route.ts";
import type { List, Todo } from "./schema.ts";

/** Apart from the rest, because the documents behind it are most of what there is to load. */
const Notes = lazy(() => import("./Notes.tsx"));

interface Props {
  list: List;
  todo: Todo;
  present: Present;
}

export function TodoDetail({ list, todo, present }: Props) {
  const visitors = peopleOf(list).filter(({ userId }) => present.get(userId)?.todoId === todo.id);
  return (
    <aside className="detail" aria-label="Todo">
      <header className="detail-header">
        <input
          type="checkbox"
          aria-label="Done"
          checked={todo.done}
          onChange={(event) => tick(todo, event.target.checked)}
        />
        <EditableText
          className="detail-title"
          label="Title"
          text={todo.title}
          maxLength={200}
          onChange={(title) => renameTodo(todo, title)}
        />
        <a className="icon-button" href={hrefOf(list.id)} aria-label="Close"><CloseIcon /></a>
      </header>
      <Suspense fallback={<p className="notes muted">{todo.notes}</p>}>
        <Notes todo={todo} />
      </Suspense>
      {visitors.length > 0 && (
        <footer className="visitors">
          {visitors.map((person) => <Avatar key={person.userId} person={person} here />)}
          <span className="muted">{namesOf(visitors)} here, too</span>
        </footer>
      )}
    </aside>
  );
}

function namesOf(people: readonly { name: string }[]): string {
  const names = new Intl.ListFormat("en").format(people.map(({ name }) => name));
  return `${names} ${people.length === 1 ? "is" : "are"}`;
}
