/** The notes of a todo: one text that everybody edits at once, also while offline. */

import { useCollabStatus, useCollabTextarea } from "@pylonsync/loro";
import type { Todo } from "./schema.ts";

export default function Notes({ todo }: { todo: Todo }) {
  const box = useCollabTextarea("Todo", todo.id, "notes");
  return (
    <>
      <textarea
        {...box}
        className="notes"
        aria-label="Notes"
        placeholder="Write down what helps. Others see it as you type."
      />
      <Unsent todo={todo} />
    </>
  );
}

function Unsent({ todo }: { todo: Todo }) {
  const { unsent, error, retry, discard } = useCollabStatus("Todo", todo.id);
  if (error !== null) {
    return (
      <div className="problem" role="alert">
        Your last edits were refused. {error.message}
        <div className="dialog-actions">
          <button type="button" className="quiet" onClick={() => void discard()}>Take them back</button>
          <button type="button" className="quiet" onClick={retry}>Try again</button>
        </div>
      </div>
    );
  }
  return <p className="notes-status muted" role="status">{unsent ? "Not sent yet" : "Saved on the server"}</p>;
}
