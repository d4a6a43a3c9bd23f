import { type ReactNode, useId } from "react";

interface Props {
  label: string;
  icon: ReactNode;
  maxLength: number;
  onAdd: (text: string) => void;
}

/** A line to type one thing after the other into: Enter adds it, and the cursor stays. */
export function NewEntry({ label, icon, maxLength, onAdd }: Props) {
  const id = useId();
  function add(form: FormData): void {
    const text = String(form.get("text")).trim();
    if (text !== "") onAdd(text);
  }
  return (
    <form className="new-entry" action={add}>
      <label htmlFor={id} className="unseen">{label}</label>
      {icon}
      <input id={id} name="text" placeholder={label} maxLength={maxLength} autoComplete="off" />
    </form>
  );
}
