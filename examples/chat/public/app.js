/** The chat: reads through the sync engine, writes through server functions. */

import { createSyncEngine } from "/_pylon/sync.js";
import { call, openSession, saveSession } from "./session.js";
import * as view from "./view.js";

/** Attempts after which we stop promising that it is only a moment. */
const OFFLINE_AFTER_ATTEMPTS = 5;

const nameForm = document.getElementById("name-form");
const composer = document.getElementById("composer");

let session = await openSession();
let recipient = null;
let wasLive = false;

const engine = createSyncEngine(location.origin, {
  token: session.token,
  wsUrl: `${location.origin.replace(/^http/, "ws")}/api/sync/ws`,
});

function showMessages() {
  view.showMessages(engine.store.list("Message"), session.userId);
}

function showPeople() {
  view.showPeople(engine.store.list("Member"), session.userId, recipient?.userId ?? null, whisperTo);
}

function showConnection() {
  const { kind, attempt = 0 } = engine.connection;
  wasLive ||= kind === "open";
  if (!navigator.onLine || attempt >= OFFLINE_AFTER_ATTEMPTS) view.showConnection("offline");
  else if (kind === "open") view.showConnection("live");
  else view.showConnection(wasLive ? "reconnecting" : "connecting");
}

function whisperTo(member) {
  recipient = member;
  view.showWhisper(recipient);
  showPeople();
  composer.elements.body.focus();
}

async function showSummary() {
  view.showSummary(await call("stats", {}, session.token));
}

/** Run what the user asked for; what goes wrong is told where they look. */
async function attempt(action) {
  view.showProblem("");
  try {
    await action();
  } catch (error) {
    const unreachable = error instanceof TypeError;
    view.showProblem(unreachable ? "The server cannot be reached. Try again in a moment." : error.message);
  }
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const input = composer.elements.body;
  const body = input.value;
  input.value = "";
  void attempt(async () => {
    try {
      await call("sendMessage", recipient ? { body, recipientId: recipient.userId } : { body }, session.token);
    } catch (error) {
      if (input.value === "") input.value = body;
      throw error;
    }
    await showSummary();
  });
});

nameForm.addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(async () => {
    const name = nameForm.elements.name.value;
    await call("join", { name }, session.token);
    session = saveSession({ ...session, name });
  });
});

document.getElementById("whisper-stop").addEventListener("click", () => whisperTo(null));
addEventListener("online", showConnection);
addEventListener("offline", showConnection);

engine.store.subscribeEntity("Message", showMessages);
engine.store.subscribeEntity("Member", showPeople);
engine.subscribeConnection(showConnection);

nameForm.elements.name.value = session.name;
await attempt(async () => {
  await call("join", { name: session.name }, session.token);
  await showSummary();
});
await engine.start();
