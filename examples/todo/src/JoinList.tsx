import { db } from "./schema.ts";
import type { Me } from "./session.ts";

/** The address names a list that is not ours: whoever has the link may take a seat there. */
export function JoinList({ me, listId }: { me: Me; listId: string }) {
  const { mutate, loading, error } = db.useMutation("join");
  return (
    <main className="blank">
      <h1>You are invited to a list</h1>
      <p className="muted">Everybody who has a seat there can add, change and delete its todos.</p>
      <button
        type="button"
        className="primary"
        disabled={loading}
        onClick={() => void mutate({ listId, name: me.name }).catch(() => undefined)}
      >
        Join as {me.name}
      </button>
      {error !== null && <p className="problem" role="alert">{reason(error)}</p>}
    </main>
  );
}

function reason(error: Error): string {
  return error instanceof TypeError ? "The server cannot be reached. Try again in a moment." : error.message;
}
