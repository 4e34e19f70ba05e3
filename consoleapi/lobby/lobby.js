// The lobby: asks for the guests again and again, shows them, opens consoles.

import { NotLoggedIn, ask, send } from "./asking.js";
import { findSession, logOut, onLogin, showLogin } from "./login.js";
import { Row } from "./row.js";

const EVERY = 3000; // ms between an answer and the next question
const SLOWEST = 30000; // ms, where there is no answer again and again
const PATIENCE = 15000; // ms for an answer
const OPENING = 30000; // ms for a console to be opened
const TYPING = 150; // ms after a key, in which another may follow
const NO_GUESTS =
  "No guests yet. They appear here as soon as the agent on their host tells of them.";

const element = (id) => document.getElementById(id);
const filter = element("filter");
const table = element("guests");
const body = table.tBodies[0];
const rows = new Map(); // by the guest's id

let timer = 0;
let asking = null; // an AbortController while a question is out
let failures = 0;
let isLoaded = false;
let hasSession = false;

// Only what is different is written: screen readers read what was written.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
  node.hidden = !text;
}

// The guests.

async function refresh() {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  const wanted = filter.value.trim();
  try {
    const query = new URLSearchParams({ filter: wanted });
    const answer = await ask(`lobby/guests?${query}`, PATIENCE, {}, mine);
    if (mine !== asking) return;
    failures = 0;
    isLoaded = true;
    show(answer, wanted);
  } catch (error) {
    if (mine !== asking) return;
    asking = null;
    if (error instanceof NotLoggedIn) {
      askToLogIn();
      return;
    }
    failures += 1;
    showTrouble(error);
  }
  asking = null;
  later();
}

function askToLogIn() {
  for (const node of [table, element("tools"), element("who")]) node.hidden = true;
  say(element("trouble"), "");
  instead("");
  showLogin(true);
}

function later() {
  clearTimeout(timer);
  if (document.visibilityState === "hidden") return;
  timer = setTimeout(refresh, Math.min(EVERY * 2 ** failures, SLOWEST));
}

function show(answer, wanted) {
  say(element("trouble"), "");
  table.classList.remove("stale");
  showLogin(false);
  element("tools").hidden = false;
  element("user").textContent = answer.user;
  element("who").hidden = !hasSession;
  showRows(answer.guests);
  const { total, fitting } = answer;
  const guests = (count) => (count === 1 ? "1 guest" : `${count.toLocaleString("en")} guests`);
  const shown = answer.guests.length;
  let count = guests(total);
  if (wanted) count = `${fitting.toLocaleString("en")} of ${guests(total)}`;
  if (shown < fitting) count += `; the first ${shown} are shown, filter to find the others`;
  say(element("count"), total ? count : "");
  table.hidden = shown === 0;
  if (shown) {
    instead("");
  } else if (wanted) {
    instead(`No guest fits “${wanted}”.`, "Clear the filter", clearFilter);
  } else {
    instead(answer.why || NO_GUESTS);
  }
}

function showRows(guests) {
  const here = new Set(guests.map((guest) => guest.id));
  for (const [id, row] of rows) {
    if (!here.has(id)) {
      row.node.remove();
      rows.delete(id);
    }
  }
  guests.forEach((guest, position) => {
    let row = rows.get(guest.id);
    if (!row) {
      row = new Row({ open: openConsole, share: shareConsole, end: endConsole });
      rows.set(guest.id, row);
    }
    row.show(guest);
    // Moved only if need be: what is moved loses the focus.
    const there = body.rows[position];
    if (there !== row.node) body.insertBefore(row.node, there ?? null);
  });
}

function showTrouble(error) {
  if (isLoaded) {
    table.classList.add("stale");
    say(element("trouble"), `${error.message} What is shown may be out of date; trying again.`);
  } else {
    instead(error.message, "Try again", refresh);
  }
}

function instead(text, label = "", act = null) {
  const button = element("instead-button");
  say(element("instead-text"), text);
  say(button, label);
  button.onclick = act;
  element("instead").hidden = !text;
}

function clearFilter() {
  filter.value = "";
  filter.focus();
  refresh();
}

// A console.

async function openConsole(row, guest, device, mode) {
  // Now, in the click itself: later on, browsers take it for an advertisement.
  const tab = window.open("", "_blank");
  const title = `the console of ${guest.name}`;
  if (tab) {
    tab.opener = null;
    tab.document.title = guest.name;
    tab.document.body.textContent = `Opening ${title}…`;
  }
  await during(row, async () => {
    try {
      const { url } = await grant(guest, device, mode);
      if (tab) {
        tab.location.replace(url);
        row.say("");
      } else {
        row.offer("The browser kept the tab from opening:", url, `open ${title}`);
      }
    } catch (error) {
      tab?.close();
      throw error;
    }
  });
}

// A link by which somebody else can watch.
async function shareConsole(row, guest, device) {
  await during(row, async () => {
    const { url, lifetime } = await grant(guest, device, "ro");
    const until = `within ${Math.max(1, Math.round(lifetime / 60))} minutes can watch`;
    try {
      await navigator.clipboard.writeText(url);
      row.say(`The link is copied. Whoever opens it ${until}.`);
    } catch {
      row.offer(`Whoever opens this link ${until}:`, url, `watch ${guest.name}`);
    }
  });
}

async function endConsole(row, guest, id) {
  await during(row, async () => {
    await send("DELETE", `lobby/guests/${guest.id}/consoles/${encodeURIComponent(id)}`, OPENING);
    row.say("The console was ended.");
  });
}

async function grant(guest, device, mode) {
  const wanted = { guest: guest.id, device, mode };
  const answer = await send("POST", "lobby/consoles", OPENING, wanted);
  if (!/^https?:/.test(answer.url)) throw new Error("The server gave no web address.");
  return answer;
}

async function during(row, act) {
  row.busy(true);
  try {
    await act();
  } catch (error) {
    row.say(error.message, "bad");
  }
  row.busy(false);
  refresh();
}

filter.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, TYPING);
});

document.addEventListener("keydown", (event) => {
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === "/" && isPlain && !/^(INPUT|SELECT)$/.test(event.target.tagName)) {
    event.preventDefault();
    filter.focus();
  }
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
  else clearTimeout(timer);
});

onLogin(() => {
  hasSession = true;
  filter.focus({ preventScroll: true });
  instead("Looking for guests…");
  refresh().then(() => filter.focus());
});

element("logout").addEventListener("click", logOut);

async function start() {
  try {
    const found = await findSession();
    hasSession = found.hasSession;
    if (!found.isKnown) {
      askToLogIn();
      return;
    }
  } catch {
    // The question for the guests goes wrong in the same way, and says so.
  }
  refresh();
}

start();
