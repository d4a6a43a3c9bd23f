import type { CSSProperties } from "react";
import type { Person } from "./people.ts";

/** Initials in a colour that is the person's own, wherever they appear. */
export function Avatar({ person, here = false }: { person: Person; here?: boolean }) {
  const style: CSSProperties & Record<`--${string}`, number> = { "--hue": hueOf(person.userId) };
  return (
    <span className="avatar" style={style} data-here={here} title={here ? `${person.name} is here` : person.name}>
      <span aria-hidden="true">{initialsOf(person.name)}</span>
      <span className="unseen">{here ? `${person.name}, here now` : person.name}</span>
    </span>
  );
}

function initialsOf(name: string): string {
  const initials = name.split(/\s+/).map((word) => [...word][0] ?? "");
  return initials.slice(0, 2).join("").toUpperCase();
}

function hueOf(userId: string): number {
  let hash = 0;
  for (const char of userId) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return hash;
}
