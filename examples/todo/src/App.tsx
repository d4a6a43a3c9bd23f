import { useMe } from "./session.ts";
import { Welcome } from "./Welcome.tsx";
import { Workspace } from "./Workspace.tsx";

export function App() {
  const me = useMe();
  // By key, so that nothing of one person is left on the page for the next.
  return me === null ? <Welcome /> : <Workspace key={me.userId} me={me} />;
}
