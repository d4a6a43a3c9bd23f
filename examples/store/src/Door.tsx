/** Lets people in once they have a session. */

import { type ReactNode, useEffect, useState } from "react";
import { comeIn } from "./session.ts";

type State = "waiting" | "in" | "closed";

export function Door({ children }: { children: ReactNode }) {
  const [state, setState] = useState<State>("waiting");

  useEffect(() => {
    if (state !== "waiting") return;
    let isCurrent = true;
    comeIn().then(
      () => isCurrent && setState("in"),
      () => isCurrent && setState("closed"),
    );
    return () => void (isCurrent = false);
  }, [state]);

  if (state === "in") return children;
  if (state === "waiting") return null;
  return (
    <main className="blank" role="alert">
      <h1>The shop cannot be reached</h1>
      <p className="muted">Perhaps its server is not running.</p>
      <button type="button" className="primary" onClick={() => setState("waiting")}>Try again</button>
    </main>
  );
}
