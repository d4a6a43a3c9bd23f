import { moveTodo } from "./actions.ts";
import type { Present } from "./presence.ts";
import type { List, Todo } from "./schema.ts";
import { useUnsentRows } from "./useUnsentRows.ts";
import { TodoRow } from "./TodoRow.tsx";
import { useReorder } from "./useReorder.ts";

interface Props {
  list: List;
  todos: readonly Todo[];
  open: Todo | undefined;
  present: Present;
  onDelete: (todo: Todo) => void;
}

export function TodoList({ list, todos, open, present, onDelete }: Props) {
  const unsent = useUnsentRows();
  const { shown, draggedId, listProps, handleProps } = useReorder(todos, (from, to) => moveTodo(todos, from, to));
  return (
    <ul className="todos" aria-label="Todos" data-dragging={draggedId !== null} {...listProps}>
      {shown.map((todo) => (
        <TodoRow
          key={todo.id}
          list={list}
          todo={todo}
          isOpen={todo === open}
          isDragged={todo.id === draggedId}
          isUnsent={unsent.has(todo.id)}
          present={present}
          handleProps={handleProps(todo.id)}
          onDelete={() => onDelete(todo)}
        />
      ))}
    </ul>
  );
}
