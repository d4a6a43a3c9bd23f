/** What is between this page and the others', said in two places: always, and loudly when it matters. */

import { db } from "./schema.ts";

const TEXT = { connected: "Live", connecting: "Connecting", offline: "Offline" };

export function SyncPill() {
  const connection = db.useConnection();
  const { count } = db.useUnsent();
  return (
    <p className="pill" role="status" data-connection={connection}>
      <span className="dot" aria-hidden="true" />
      {TEXT[connection]}
      {count > 0 && <> <span className="unsent">{count} unsent</span></>}
    </p>
  );
}

export function OfflineBanner() {
  const { count } = db.useUnsent();
  if (db.useConnection() !== "offline") return null;
  return (
    <div className="offline">
      <strong>You are offline.</strong> {kept(count)}
    </div>
  );
}

function kept(changes: number): string {
  if (changes === 0) return "Go on: what you change is kept on this device.";
  const what = changes === 1 ? "1 change is" : `${changes} changes are`;
  return `${what} kept on this device and will be sent when you are back.`;
}
