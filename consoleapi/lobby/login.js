// The form that one logs in by.

import { ask, remember, send } from "./asking.js";

const PATIENCE = 15000; // ms

const element = (id) => document.getElementById(id);
const form = element("login");
const trouble = element("login-trouble");

function say(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
}

export function showLogin(isShown) {
  if (form.hidden !== isShown) return;
  form.hidden = !isShown;
  if (isShown) element("login-user").focus();
}

// done: called with the user's name once they are in.
export function onLogin(done) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const password = element("login-password");
    const button = element("login-button");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const user = element("login-user").value;
      const answer = await send("POST", "lobby/session", PATIENCE, {
        user,
        password: password.value,
      });
      remember(answer.csrf);
      say("");
      done(answer.user);
    } catch (error) {
      say(error.message);
      password.focus();
    }
    password.value = "";
    button.removeAttribute("aria-disabled");
  });
}

// A page that is loaded again is still logged in; returns whether one is, and how.
export async function findSession() {
  const { user, csrf } = await ask("lobby/session", PATIENCE);
  remember(csrf);
  return { isKnown: user !== null, hasSession: Boolean(csrf) };
}

export async function logOut() {
  try {
    await send("DELETE", "lobby/session", PATIENCE);
  } finally {
    location.reload();
  }
}
