/** The notes of a todo: one text that everybody edits at once, also while offline. */

import { useCollabStatus, useCollabText, useLoroDoc } from "@pylonsync/loro";
import { type ChangeEvent, useRef } from "react";
import type { Todo } from "./schema.ts";
import { textChange } from "./textChange.ts";
import { useSteadySelection } from "./useSteadySelection.ts";

export default function Notes({ todo }: { todo: Todo }) {
  const doc = useLoroDoc("Todo", todo.id);
  const [text, , edit] = useCollabText("Todo", todo.id, "notes");
  const box = useRef<HTMLTextAreaElement>(null);
  const selectionMoved = useSteadySelection(box, doc, "notes", text);
  // A text that was never open on this device cannot be edited before it has come; what it says is known.
  const isMissing = doc.opCount() === 0 && todo.notes !== "";

  function typed({ target }: ChangeEvent<HTMLTextAreaElement>): void {
    edit(textChange(text, target.value, target.selectionEnd));
    selectionMoved();
  }

  return (
    <>
      <textarea
        ref={box}
        className="notes"
        aria-label="Notes"
        placeholder="Write down what helps. Others see it as you type."
        value={isMissing ? todo.notes : text}
        readOnly={isMissing}
        onChange={typed}
        onSelect={selectionMoved}
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
