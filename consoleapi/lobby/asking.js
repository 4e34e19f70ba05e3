// Asking the server: bounded in time, with the session's CSRF token, and with
// errors that are sentences.

let csrf = "";

export class NotLoggedIn extends Error {}

export function remember(token) {
  csrf = token;
}

export async function ask(path, patience, options = {}, abort = new AbortController()) {
  const late = setTimeout(() => abort.abort(new DOMException("", "TimeoutError")), patience);
  const headers = { Accept: "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (options.body) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(path, { ...options, headers, signal: abort.signal });
    const answer = await response.json();
    if (response.ok) return answer;
    const message = Object.values(answer)[0]?.message || response.statusText;
    throw new (response.status === 401 ? NotLoggedIn : Error)(message);
  } catch (error) {
    // The network fails (TypeError), or something between us answers in its own words.
    const isSilent = ["TimeoutError", "TypeError", "SyntaxError"].includes(error.name);
    throw isSilent ? new Error("The server does not answer.") : error;
  } finally {
    clearTimeout(late);
  }
}

export function send(method, path, patience, value) {
  return ask(path, patience, { method, body: value && JSON.stringify(value) });
}
