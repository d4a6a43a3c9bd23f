import { useEffect, useState } from "react";

const SECOND_MS = 1_000;

/** A sentence that counts down. Not read out again each second. */
export function TimeLeft({ until }: { until: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), SECOND_MS);
    return () => window.clearInterval(timer);
  }, []);

  const seconds = Math.max(0, Math.round((Date.parse(until) - now) / SECOND_MS));
  const minutes = Math.floor(seconds / 60);
  const left = minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes}:${`${seconds % 60}`.padStart(2, "0")}`;
  return <span role="timer">{left} left to pay.</span>;
}
