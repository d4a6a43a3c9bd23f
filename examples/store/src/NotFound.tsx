export function NotFound({ what }: { what: string }) {
  return (
    <div className="nothing">
      <h1>There is no such {what}</h1>
      <p className="muted">Perhaps the link is old, or it is somebody else’s.</p>
      <a className="quiet" href="#/">Back to the shop</a>
    </div>
  );
}
