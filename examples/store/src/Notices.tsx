/** Short messages at the foot of the page: what was done, or why it was not. One at a time, read out to who cannot see. */

import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";

const SHOWN_MS = 4_000;

interface Notice {
  readonly text: string;
  readonly isProblem: boolean;
}

interface Notices {
  readonly shown: Notice | null;
  tell(text: string): void;
  complain(error: unknown): void;
  dismiss(): void;
}

const Context = createContext<Notices>({ shown: null, tell: () => {}, complain: () => {}, dismiss: () => {} });

export function useNotices(): Notices {
  return useContext(Context);
}

export function NoticeKeeper({ children }: { children: ReactNode }) {
  const [notice, setNotice] = useState<Notice | null>(null);

  useEffect(() => {
    if (notice === null) return;
    const timer = window.setTimeout(() => setNotice(null), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [notice]);

  const dismiss = useCallback(() => setNotice(null), []);
  const notices = useMemo<Notices>(
    () => ({
      shown: notice,
      tell: (text) => setNotice({ text, isProblem: false }),
      complain: (error) => setNotice({ text: error instanceof Error ? error.message : String(error), isProblem: true }),
      dismiss,
    }),
    [notice, dismiss],
  );
  return <Context value={notices}>{children}</Context>;
}

/** Where they are shown: once on the page, and inside of a modal dialog while one is open, which hides the rest. */
export function NoticeArea() {
  const { shown } = useNotices();
  return (
    <div className="notices" role="status">
      {shown !== null && <p className={shown.isProblem ? "notice problem" : "notice"}>{shown.text}</p>}
    </div>
  );
}
