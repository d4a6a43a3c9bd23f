/** The text of an event stream, cut into events wherever its chunks were cut. Knows no network. */

export interface StreamEvent {
  /** "message" when the stream does not name it. */
  name: string;
  data: string;
}

export class EventStreamParser {
  #rest = "";
  #name = "";
  #data: string[] = [];

  /** The events that are complete with this piece of text. */
  push(text: string): StreamEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.map((line) => this.#line(line)).filter((event) => event !== null);
  }

  /** An empty line ends an event; comments and fields that mean nothing here are passed over. */
  #line(line: string): StreamEvent | null {
    if (line === "") return this.#dispatch();
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") this.#name = value;
    if (field === "data") this.#data.push(value);
    return null;
  }

  #dispatch(): StreamEvent | null {
    const event = { name: this.#name === "" ? "message" : this.#name, data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#name = "";
    this.#data = [];
    return empty ? null : event;
  }
}

/** The events of a streamed answer. Whoever stops reading early ends the answer. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void> {
  const parser = new EventStreamParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
