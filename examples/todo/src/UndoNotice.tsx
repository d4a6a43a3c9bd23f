import { useEffect, useRef } from "react";

const SHOWN_MS = 8_000;

interface Props {
  text: string;
  onUndo: () => void;
  onEnd: () => void;
}

/** Says for a while what was done, and offers to undo it. */
export function UndoNotice({ text, onUndo, onEnd }: Props) {
  const end = useRef(onEnd);
  end.current = onEnd;
  useEffect(() => {
    const timer = setTimeout(() => end.current(), SHOWN_MS);
    return () => clearTimeout(timer);
  }, []);

  function undo(): void {
    onUndo();
    onEnd();
  }

  return (
    <div className="notice undo" role="status">
      <span>{text}</span>
      <button type="button" className="quiet" onClick={undo}>Undo</button>
    </div>
  );
}
