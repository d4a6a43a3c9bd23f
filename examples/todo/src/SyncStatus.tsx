/** What is between this page and the others', said in two places: always, and loudly when it matters. */

import { type Link, useLink, useQueue } from "./sync.ts";

const LINK_TEXT: Record<Link, string> = { live: "Live", connecting: "Connecting", offline: "Offline" };

export function SyncPill() {
  const link = useLink();
  const { unsent } = useQueue();
  return (
    <p className="pill" role="status" data-link={link}>
      <span className="dot" aria-hidden="true" />
      {LINK_TEXT[link]}
      {unsent.length > 0 && <> <span className="unsent">{unsent.length} unsent</span></>}
    </p>
  );
}

export function OfflineBanner() {
  const link = useLink();
  const { unsent } = useQueue();
  if (link !== "offline") return null;
  return (
    <div className="offline">
      <strong>You are offline.</strong> {kept(unsent.length)}
    </div>
  );
}

function kept(changes: number): string {
  if (changes === 0) return "Go on: what you change is kept on this device.";
  const what = changes === 1 ? "1 change is" : `${changes} changes are`;
  return `${what} kept on this device and will be sent when you are back.`;
}
