import { type KeyboardEvent, useState } from "react";

interface Props {
  label: string;
  text: string;
  maxLength: number;
  className: string;
  onChange: (text: string) => void;
}

/** A text that becomes an input when it is pointed at. Enter or leaving it keeps what was typed, Escape does not. */
export function EditableText({ label, text, maxLength, className, onChange }: Props) {
  const [draft, setDraft] = useState<string | null>(null);

  function keep(): void {
    const next = draft?.trim() ?? "";
    setDraft(null);
    if (next !== "" && next !== text) onChange(next);
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.key === "Escape") setDraft(null);
    if (event.key === "Enter") event.currentTarget.blur();
  }

  return (
    <input
      className={className}
      aria-label={label}
      value={draft ?? text}
      maxLength={maxLength}
      autoComplete="off"
      onChange={(event) => setDraft(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={keep}
    />
  );
}
