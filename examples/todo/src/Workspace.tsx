/** What somebody who is signed in sees: their lists, one of them, and perhaps one of its todos. */

import { useEffect } from "react";
import { JoinList } from "./JoinList.tsx";
import { ListNav } from "./ListNav.tsx";
import { ListView } from "./ListView.tsx";
import { Problems } from "./Problems.tsx";
import { useRoute } from "./route.ts";
import { db } from "./schema.ts";
import { type Me, signOut } from "./session.ts";
import { OfflineBanner } from "./SyncStatus.tsx";

export function Workspace({ me }: { me: Me }) {
  const { listId, todoId } = useRoute();
  const { data: lists } = db.useQuery("List", { orderBy: { createdAt: "asc" } });
  const { loaded } = db.useSyncStatus();
  const { userId, identity } = db.useSession();
  const list = lists.find(({ id }) => id === (listId ?? lists[0]?.id));

  // The session ended, or the server was set up anew.
  useEffect(() => {
    if (identity === "known" && userId !== me.userId) void signOut();
  }, [identity, userId, me]);

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
  if (db.useConnection() !== "offline") return null;
  return <main className="blank muted">Your lists are not on this device yet. They come when you are back.</main>;
}
