/** The few pictures there are. All of them stand beside a text or a label, so they say nothing themselves. */

import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">{children}</svg>;
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="m9 16.5 4.6 4.6L23.5 11" />
    </svg>
  );
}

export const PlusIcon = () => <Icon><path d="M10 4v12M4 10h12" /></Icon>;
export const GripIcon = () => <Icon><path d="M7.5 5.5h.01M7.5 10h.01M7.5 14.5h.01M12.5 5.5h.01M12.5 10h.01M12.5 14.5h.01" /></Icon>;
export const NotesIcon = () => <Icon><path d="M5 6h10M5 10h10M5 14h6" /></Icon>;
export const BinIcon = () => <Icon><path d="M4.5 6h11M8 6V4h4v2M6 6l.7 10h6.6L14 6" /></Icon>;
export const ShareIcon = () => <Icon><path d="M10 12V3.5M6.8 6.5 10 3.3l3.2 3.2M5 10v6.5h10V10" /></Icon>;
export const PeopleIcon = () => <Icon><path d="M8 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 16.5c.4-2.8 2.6-4.4 5.5-4.4s5.1 1.6 5.5 4.4M13.3 4a3 3 0 0 1 0 5.2M15.2 12.7c1.3.7 2.1 2 2.3 3.8" /></Icon>;
export const CloseIcon = () => <Icon><path d="m5 5 10 10M15 5 5 15" /></Icon>;
