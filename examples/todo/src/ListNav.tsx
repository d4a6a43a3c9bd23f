import { useState } from "react";
import { createList } from "./actions.ts";
import { Avatar } from "./Avatar.tsx";
import { Dialog } from "./Dialog.tsx";
import { Logo, PeopleIcon, PlusIcon } from "./icons.tsx";
import { NewEntry } from "./NewEntry.tsx";
import { peopleOf } from "./people.ts";
import { hrefOf } from "./route.ts";
import { db, type List } from "./schema.ts";
import { type Me, signOut } from "./session.ts";
import { SyncPill } from "./SyncStatus.tsx";

interface Props {
  me: Me;
  lists: readonly List[];
  chosen: string | null;
}

export function ListNav({ me, lists, chosen }: Props) {
  return (
    <aside className="side">
      <header className="brand">
        <Logo />
        <strong>Todo</strong>
        <SyncPill />
      </header>
      <nav aria-label="Lists">
        <ul className="lists">
          {lists.map((list) => (
            <li key={list.id}>
              <a href={hrefOf(list.id)} aria-current={list.id === chosen ? "page" : undefined}>
                <span className="list-title">{list.title}</span>
                {peopleOf(list).length > 1 && <Count people={peopleOf(list).length} />}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <NewEntry label="New list" icon={<PlusIcon />} maxLength={60} onAdd={(title) => createList(me, title)} />
      <Account me={me} />
    </aside>
  );
}

function Count({ people }: { people: number }) {
  return (
    <span className="count">
      <PeopleIcon />
      {people}
      <span className="unseen"> people</span>
    </span>
  );
}

function Account({ me }: { me: Me }) {
  const [leaving, setLeaving] = useState(false);
  const { count } = db.useUnsent();
  return (
    <footer className="account">
      <Avatar person={me} />
      <span className="account-name">{me.name}</span>
      <button type="button" className="quiet" onClick={() => setLeaving(true)}>Sign out</button>
      {leaving && (
        <Dialog title="Sign out?" onClose={() => setLeaving(false)}>
          <p>
            You are a guest here: nobody can sign in as {me.name} again, and lists that only you have are lost
            {count > 0 && <strong>, and so are {count} changes that were not sent yet</strong>}.
          </p>
          <div className="dialog-actions">
            <button type="button" className="quiet" onClick={() => setLeaving(false)}>Stay</button>
            <button type="button" className="danger" onClick={() => void signOut()}>Sign out</button>
          </div>
        </Dialog>
      )}
    </footer>
  );
}
