import type { Order } from "./database.ts";
import { Icon } from "./icons.tsx";

interface Stage {
  readonly label: string;
  readonly at: string | null | undefined;
}

const TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export function Progress({ order }: { order: Order }) {
  const stages = stagesOf(order);
  const next = stages.findIndex(({ at }) => !at);
  return (
    <ol className="progress" aria-label="Progress">
      {stages.map(({ label, at }, index) => (
        <li
          key={label}
          data-state={at ? "done" : index === next ? "next" : "later"}
          aria-current={index === next ? "step" : undefined}
        >
          <span className="dot">{at && <Icon name={order.status === "cancelled" && index > 0 ? "close" : "check"} />}</span>
          <strong>{label}</strong>
          <span className="muted">{at ? TIME.format(new Date(at)) : " "}</span>
        </li>
      ))}
    </ol>
  );
}

function stagesOf({ status, placedAt, paidAt, shippedAt, cancelledAt }: Order): Stage[] {
  const placed = { label: "Ordered", at: placedAt };
  if (status === "cancelled") return [placed, { label: "Cancelled", at: cancelledAt }];
  return [placed, { label: "Paid", at: paidAt }, { label: "Shipped", at: shippedAt }];
}
