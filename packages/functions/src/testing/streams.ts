/** The events of a function that streams, of which the last says how it ended (contract 07 §9). Pure. */

import { CallError, type Chunk, type Streamed } from "./caller";

export function readStream<T>(text: string): Streamed<T> {
  const chunks: Chunk[] = [];
  for (const block of text.split("\n\n")) {
    const lines = block.split("\n").filter((line) => line !== "" && !line.startsWith(":"));
    if (lines.length === 0) continue;
    const event = valuesOf(lines, "event")[0];
    const data = valuesOf(lines, "data").join("\n");
    if (event === "result") return { chunks, value: JSON.parse(data) as T };
    if (event === "error") {
      const { code, message } = JSON.parse(data) as { readonly code: string; readonly message: string };
      throw new CallError(code, message, null);
    }
    chunks.push(event === undefined ? { text: data } : { text: data, event });
  }
  throw new CallError("PROTOCOL_ERROR", "The stream broke off before the function ended.", null);
}

function valuesOf(lines: readonly string[], name: string): string[] {
  return lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ""));
}
