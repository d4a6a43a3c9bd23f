/** What somebody who is signed in sees: their lists, one of them, and perhaps one of its todos. */

import { useSyncStatus } from "@pylonsync/react";
import { useEffect } from "react";
import { JoinList } from "./JoinList.tsx";
import { ListNav } from "./ListNav.tsx";
import { ListView } from "./ListView.tsx";
import { Problems } from "./Problems.tsx";
import { useRoute } from "./route.ts";
import { db } from "./schema.ts";
import { checkSession, type Me } from "./session.ts";
import { useLink } from "./sync.ts";
import { OfflineBanner } from "./SyncStatus.tsx";

export function Workspace({ me }: { me: Me }) {
  const { listId, todoId } = useRoute();
  const { data: lists } = db.useQuery("List", { orderBy: { createdAt: "asc" } });
  const { loaded } = useSyncStatus(db.untyped.sync);
  const { userId } = db.untyped.useSession();
  const list = lists.find(({ id }) => id === (listId ?? lists[0]?.id));

  // The session ended, the server was set up anew, or it just could not be asked who we are.
  useEffect(() => {
    if (loaded && userId !== me.userId) checkSession(me).catch(() => undefined);
  }, [loaded, userId, me]);

  // Not at once, because it is large; but notes written before a reload are sent without being opened again.
  useEffect(() => void import("@pylonsync/loro").then(({ startLoro }) => startLoro()), []);

  return (
    <div className="workspace">
      <ListNav me={me} lists={lists} chosen={list?.id ?? listId} />
      <div className="stage">
        <OfflineBanner />
        {list !== undefined && <ListView key={list.id} me={me} list={list} todoId={todoId} />}
        {list === undefined && (loaded ? <NoSuchList me={me} listId={listId} /> : <NotYet />)}
        <Problems />
      </div>
    </div>
  );
}

function NoSuchList({ me, listId }: { me: Me; listId: string | null }) {
  if (listId !== null) return <JoinList me={me} listId={listId} />;
  return (
    <main className="blank">
      <h1>A clean slate</h1>
      <p className="muted">Name your first list and press Enter. You can share it afterwards.</p>
    </main>
  );
}

/** Before anything is here: for a moment, or until there is a network. */
function NotYet() {
  const link = useLink();
  if (link !== "offline") return null;
  return <main className="blank muted">Your lists are not on this device yet. They come when you are back.</main>;
}
