import { renameTodo, tick } from "./actions.ts";
import { Avatar } from "./Avatar.tsx";
import { EditableText } from "./EditableText.tsx";
import { BinIcon, GripIcon, NotesIcon } from "./icons.tsx";
import { peopleOf } from "./people.ts";
import type { Present } from "./presence.ts";
import { hrefOf } from "./route.ts";
import type { List, Todo } from "./schema.ts";
import type { Reorder } from "./useReorder.ts";

interface Props {
  list: List;
  todo: Todo;
  isOpen: boolean;
  isDragged: boolean;
  isUnsent: boolean;
  present: Present;
  handleProps: ReturnType<Reorder<Todo>["handleProps"]>;
  onDelete: () => void;
}

export function TodoRow({ list, todo, isOpen, isDragged, isUnsent, present, handleProps, onDelete }: Props) {
  const { title, done, notes } = todo;
  const visitors = peopleOf(list).filter(({ userId }) => present.get(userId)?.todoId === todo.id);
  return (
    <li className="todo" data-done={done} data-open={isOpen} data-dragged={isDragged} data-unsent={isUnsent}>
      <button type="button" className="grip" aria-label={`Move ${title}: arrow up or down`} {...handleProps}>
        <GripIcon />
      </button>
      <input
        type="checkbox"
        aria-label={`Done: ${title}`}
        checked={done}
        onChange={(event) => tick(todo, event.target.checked)}
      />
      <EditableText
        className="todo-title"
        label={`Title of ${title}`}
        text={title}
        maxLength={200}
        onChange={(text) => renameTodo(todo, text)}
      />
      {visitors.map((person) => <Avatar key={person.userId} person={person} here />)}
      {isUnsent && <span className="unsent-mark" title="Not sent yet">Not sent yet</span>}
      <a
        className="icon-button"
        href={isOpen ? hrefOf(list.id) : hrefOf(list.id, todo.id)}
        aria-label={`Notes of ${title}`}
        aria-expanded={isOpen}
        data-filled={notes !== ""}
      >
        <NotesIcon />
      </a>
      <button type="button" className="icon-button" aria-label={`Delete ${title}`} onClick={onDelete}>
        <BinIcon />
      </button>
    </li>
  );
}
