import { useId, useState } from "react";
import { deleteList } from "./actions.ts";
import { Dialog } from "./Dialog.tsx";
import { BinIcon, ShareIcon } from "./icons.tsx";
import { isFull } from "./people.ts";
import { linkTo } from "./route.ts";
import type { List, Todo } from "./schema.ts";
import type { Me } from "./session.ts";

interface Props {
  me: Me;
  list: List;
  todos: readonly Todo[];
}

/** What can be done with a list as a whole. */
export function ListMenu({ me, list, todos }: Props) {
  const [asked, setAsked] = useState<"share" | "delete" | null>(null);
  const close = (): void => setAsked(null);
  return (
    <div className="list-menu">
      <button type="button" className="quiet" onClick={() => setAsked("share")}>
        <ShareIcon /> Share
      </button>
      {list.seat1 === me.userId && (
        <button type="button" className="icon-button" aria-label="Delete list" onClick={() => setAsked("delete")}>
          <BinIcon />
        </button>
      )}
      {asked === "share" && <ShareDialog list={list} onClose={close} />}
      {asked === "delete" && (
        <Dialog title={`Delete “${list.title}”?`} onClose={close}>
          <p>The list and its todos go, for everybody who has it.</p>
          <div className="dialog-actions">
            <button type="button" className="quiet" onClick={close}>Keep it</button>
            <button type="button" className="danger" onClick={() => deleteList(list, todos)}>Delete</button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function ShareDialog({ list, onClose }: { list: List; onClose: () => void }) {
  const id = useId();
  const [copied, setCopied] = useState(false);
  const link = linkTo(list.id);
  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(link);
    setCopied(true);
  }
  return (
    <Dialog title={`Share “${list.title}”`} onClose={onClose}>
      <p>{isFull(list) ? "All four seats are taken." : "Whoever opens this link can join, and write as you do."}</p>
      <label htmlFor={id}>Link</label>
      <div className="field">
        <input id={id} value={link} readOnly onFocus={(event) => event.target.select()} />
        <button type="button" className="primary" onClick={() => void copy()}>{copied ? "Copied" : "Copy"}</button>
      </div>
      <div className="dialog-actions">
        <button type="button" className="quiet" onClick={onClose}>Close</button>
      </div>
    </Dialog>
  );
}
