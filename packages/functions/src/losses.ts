/** What JSON would silently turn into `{}` or null, found before it is: a value that says so is easier to mend. */

const DEPTH_MAX = 128;
const ITERATOR = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;
const LOST = [
  Map,
  Set,
  WeakMap,
  WeakSet,
  Promise,
  Error,
  RegExp,
  ArrayBuffer,
  Response,
  Request,
  Blob,
  ReadableStream,
] as const;

/** The first such thing in a value in words, such as `a Map at tags[2].names`; null when JSON says all of it. */
export function lossIn(value: unknown): string | null {
  const loss = find(value, []);
  if (loss === null) return null;
  const path = loss.path.reverse().join("").replace(/^\./, "");
  return path === "" || loss.isTooDeep ? loss.what : `${loss.what} at ${path}`;
}

interface Loss {
  readonly what: string;
  readonly isTooDeep: boolean;
  /** From the inside out. */
  readonly path: string[];
}

function find(value: unknown, holders: object[]): Loss | null {
  if (typeof value === "function") return { what: "a function", isTooDeep: false, path: [] };
  if (typeof value === "symbol") return { what: "a symbol", isTooDeep: false, path: [] };
  if (typeof value !== "object" || value === null) return null;
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === "function") return null;
  if (holders.length === DEPTH_MAX) {
    // A cycle is told by whoever writes the JSON.
    return holders.includes(value) ? null : { what: `more than ${DEPTH_MAX} levels`, isTooDeep: true, path: [] };
  }
  holders.push(value);
  const loss = Array.isArray(value) ? inArray(value, holders) : inObject(value, holders);
  holders.pop();
  return loss;
}

function inArray(array: readonly unknown[], holders: object[]): Loss | null {
  for (let index = 0; index < array.length; index++) {
    const element = array[index];
    if (isPlain(element)) continue;
    const loss = find(element, holders);
    if (loss !== null) {
      loss.path.push(`[${index}]`);
      return loss;
    }
  }
  return null;
}

function inObject(object: object, holders: object[]): Loss | null {
  const prototype: unknown = Object.getPrototypeOf(object);
  const kind = prototype === Object.prototype || prototype === null ? null : lostKind(object);
  if (kind !== null) return { what: kind, isTooDeep: false, path: [] };
  for (const name of Object.keys(object)) {
    const member = (object as Record<string, unknown>)[name];
    if (isPlain(member)) continue;
    const loss = find(member, holders);
    if (loss !== null) {
      loss.path.push(`.${name}`);
      return loss;
    }
  }
  return null;
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null;
}

function lostKind(object: object): string | null {
  if (Object.prototype.isPrototypeOf.call(ITERATOR, object)) return "an iterator";
  const name = LOST.find((kind) => object instanceof kind)?.name;
  return name === undefined ? null : `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}
