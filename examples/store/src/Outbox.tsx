/** The emails about an order, as they lie in the outbox: rows like any other, written by steps of the workflow. */

import { db } from "./database.ts";
import { Icon } from "./icons.tsx";

const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export function Outbox({ orderId }: { orderId: string }) {
  const { data: emails } = db.useQuery("Email", { where: { orderId }, orderBy: { queuedAt: "desc" } });
  return (
    <section className="card outbox" aria-label="Emails to you">
      <h2>Emails to you</h2>
      <p className="muted">This shop sends none: they wait in its outbox, the table <code>Email</code>.</p>
      <ul>
        {emails.map(({ id, subject, body, queuedAt }) => (
          <li key={id}>
            <details>
              <summary>
                <Icon name="mail" />
                <span>{subject}</span>
                <time className="muted" dateTime={queuedAt}>{TIME.format(new Date(queuedAt))}</time>
              </summary>
              <p className="letter">{body}</p>
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}
