/** Who this tab is: a guest of its own, kept for as long as the tab lives. */

const KEY = "chat:session";
const COLOURS = ["Amber", "Coral", "Indigo", "Jade", "Lilac", "Olive", "Pearl", "Ruby", "Sand", "Teal"];
const ANIMALS = ["Badger", "Crane", "Dolphin", "Falcon", "Heron", "Lynx", "Otter", "Panda", "Robin", "Wolf"];

const pick = (choices) => choices[Math.floor(Math.random() * choices.length)];

/** Call a server function as `token`; rejects with what the server says is wrong. */
export function call(name, args, token) {
  return request(`/api/fn/${name}`, { method: "POST", token, body: args });
}

/** The guest session of this tab: the one it already has, or a new one. */
export async function openSession() {
  const saved = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  if (saved !== null && (await stillKnown(saved))) return saved;
  const guest = await request("/api/auth/guest", { method: "POST" });
  const name = saved?.name ?? `${pick(COLOURS)} ${pick(ANIMALS)}`;
  return saveSession({ token: guest.token, userId: guest.user_id, name });
}

export function saveSession(session) {
  sessionStorage.setItem(KEY, JSON.stringify(session));
  return session;
}

async function stillKnown(session) {
  const me = await request("/api/auth/me", { token: session.token });
  return me.user_id === session.userId;
}

// Without credentials: the server would set a cookie, and cookies are shared by all tabs.
async function request(path, { method = "GET", token, body } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, {
    method,
    headers,
    credentials: "omit",
    ...(method === "GET" ? {} : { body: JSON.stringify(body ?? {}) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error?.message ?? `The server answered ${response.status}.`);
  return answer;
}
