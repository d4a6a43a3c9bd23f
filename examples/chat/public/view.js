/** The page as functions: each shows one thing. Text from people only ever becomes text nodes. */

const SHOWN_MAX = 200;
const element = (id) => document.getElementById(id);

const messages = element("messages");
const nodes = new Map();

/** Build an element: `make("p", { class: "x" }, "text", child)`. */
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Everyone has a colour of their own, wherever they appear. */
function hueOf(userId) {
  let hash = 0;
  for (const char of userId) hash = (hash * 31 + char.codePointAt(0)) % 360;
  return hash;
}

function avatar(userId, name) {
  const initials = name.split(/\s+/).map((word) => [...word][0] ?? "").slice(0, 2).join("").toUpperCase();
  const node = make("span", { class: "avatar", "aria-hidden": "true" }, initials);
  node.style.setProperty("--hue", String(hueOf(userId)));
  return node;
}

function messageNode(message, me) {
  const mine = message.authorId === me;
  const whisper = message.recipientId !== null && message.recipientId !== undefined;
  const whisperTag = mine ? `whispered to ${message.recipientName}` : "whispered to you";
  const sent = new Date(message.sentAt);
  const time = make(
    "time",
    { datetime: message.sentAt },
    sent.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  );
  const head = make("p", { class: "message-head" }, make("strong", {}, mine ? "You" : message.authorName));
  if (whisper) head.append(" ", make("span", { class: "tag" }, whisperTag));
  head.append(" ", time);
  const text = make("div", { class: "bubble" }, head, make("p", { class: "message-body" }, message.body));
  const kind = `message${mine ? " mine" : ""}${whisper ? " private" : ""}`;
  return make("li", { class: kind }, avatar(message.authorId, message.authorName), text);
}

/** Show the newest messages in order, reusing what is already on the page. */
export function showMessages(all, me) {
  const shown = all
    .toSorted((a, b) => a.sentAt.localeCompare(b.sentAt) || a.id.localeCompare(b.id))
    .slice(-SHOWN_MAX);
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
  const keep = new Set(shown.map((message) => message.id));
  for (const [id, node] of nodes) {
    if (keep.has(id)) continue;
    node.remove();
    nodes.delete(id);
  }
  shown.forEach((message, position) => {
    const node = nodes.get(message.id) ?? messageNode(message, me);
    nodes.set(message.id, node);
    if (messages.children[position] !== node) messages.insertBefore(node, messages.children[position] ?? null);
  });
  element("empty").hidden = shown.length > 0;
  if (atEnd) messages.scrollTop = messages.scrollHeight;
}

/** Show everyone but ourselves, the latest arrivals first; `whisperTo` is called with whom was chosen. */
export function showPeople(members, me, chosen, whisperTo) {
  const others = members
    .filter((member) => member.userId !== me)
    .toSorted((a, b) => b.seenAt.localeCompare(a.seenAt))
    .slice(0, 50);
  const rows = others.map((member) => {
    const pressed = member.userId === chosen ? "true" : "false";
    const label = `Whisper to ${member.name}`;
    const button = make(
      "button",
      { type: "button", class: "person", "aria-label": label, "aria-pressed": pressed, title: label },
      avatar(member.userId, member.name),
      make("span", {}, member.name),
    );
    button.addEventListener("click", () => whisperTo(member));
    return make("li", {}, button);
  });
  element("people").replaceChildren(...rows);
  element("nobody").hidden = others.length > 0;
}

export function showWhisper(recipient) {
  element("whisper").hidden = recipient === null;
  element("whisper-name").textContent = recipient?.name ?? "";
  element("body").placeholder = recipient === null ? "Write a message" : `Whisper to ${recipient.name}`;
  element("composer").classList.toggle("private", recipient !== null);
}

const CONNECTION_TEXT = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline",
};

export function showConnection(state) {
  element("connection").dataset.state = state;
  element("connection-text").textContent = CONNECTION_TEXT[state];
}

export function showProblem(text) {
  element("problem").hidden = text === "";
  element("problem").textContent = text;
}

export function showSummary({ messagesLastHour, voicesLastHour }) {
  const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
  const said = plural(messagesLastHour, "message", "messages");
  const voices = plural(voicesLastHour, "person", "people");
  element("summary").textContent = `${said} from ${voices} in the last hour`;
}
