// One guest in the table: made once, then kept up to date in place, so that
// focus and choices stay where they are.

const WORDS = { shutoff: "shut off" };

let made = 0;

function make(name, className = "", attributes = {}) {
  const node = document.createElement(name);
  if (className) node.className = className;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function attendance({ consoles, viewers }) {
  if (!consoles) return "closed";
  const open = consoles === 1 ? "open" : `${consoles} open`;
  if (!viewers) return `${open}, nobody on ${consoles === 1 ? "it" : "them"}`;
  return `${open}, ${viewers === 1 ? "1 viewer" : `${viewers} viewers`}`;
}

export class Row {
  #guest = null;
  #busy = false;

  // open: called with this, the guest and the chosen device (null: any).
  constructor(open) {
    const number = ++made;
    this.node = make("tr", "", { role: "row" });
    const title = make("th", "name", { role: "rowheader", scope: "row" });
    this.name = make("span");
    this.uuid = make("span", "uuid");
    title.append(this.name, this.uuid);
    this.host = make("td", "host", { role: "cell" });
    this.state = make("td", "state", { role: "cell" });
    this.attendance = make("td", "attendance", { role: "cell" });

    const action = make("td", "action", { role: "cell" });
    const choice = make("div", "choice");
    this.device = make("select");
    this.button = make("button", "open", { type: "button", "aria-describedby": `why-${number}` });
    this.label = make("span");
    this.whose = make("span", "unseen");
    this.button.append(this.label, this.whose);
    choice.append(this.device, this.button);
    this.why = make("p", "why", { id: `why-${number}` });
    this.outcome = make("p", "outcome", { role: "status" });
    action.append(choice, this.why, this.outcome);

    this.node.append(title, this.host, this.state, this.attendance, action);
    this.button.addEventListener("click", () => {
      if (!this.#busy) open(this, this.#guest, this.device.hidden ? null : this.device.value);
    });
    this.say("");
  }

  show(guest) {
    const before = this.#guest;
    this.#guest = guest;
    write(this.name, guest.name);
    write(this.uuid, guest.id);
    write(this.host, guest.host);
    write(this.state, WORDS[guest.state] ?? guest.state);
    this.state.dataset.state = guest.state;
    write(this.attendance, attendance(guest));
    this.attendance.dataset.open = String(guest.consoles > 0);
    write(this.whose, ` of ${guest.name} on ${guest.host}`);
    write(this.why, guest.closed);
    this.why.hidden = !guest.closed;
    if (before?.closed !== guest.closed) this.say("");
    this.#showDevices(guest);
    this.#showButton();
  }

  busy(isBusy) {
    this.#busy = isBusy;
    this.#showButton();
  }

  say(text, kind = "") {
    write(this.outcome, text);
    this.outcome.dataset.kind = kind;
    this.outcome.hidden = !text;
  }

  // A link, where what was to happen by itself did not.
  offer(text, url, label) {
    const link = make("a", "", { href: url, target: "_blank", rel: "noopener noreferrer" });
    link.textContent = label;
    link.addEventListener("click", () => setTimeout(() => this.say("")));
    this.outcome.replaceChildren(`${text} `, link);
    this.outcome.dataset.kind = "";
    this.outcome.hidden = false;
    link.focus();
  }

  #showDevices({ name, devices }) {
    const known = Array.from(this.device.options, (option) => option.value);
    if (known.join("\n") !== devices.join("\n")) {
      const chosen = this.device.value;
      this.device.replaceChildren(...devices.map((device) => new Option(device, device)));
      if (devices.includes(chosen)) this.device.value = chosen;
    }
    this.device.setAttribute("aria-label", `Serial device of ${name}`);
    this.device.hidden = devices.length < 2;
  }

  #showButton() {
    write(this.label, this.#busy ? "Opening…" : "Open console");
    this.button.disabled = Boolean(this.#guest.closed);
    this.device.disabled = this.button.disabled;
    // Not disabled while busy: it would lose the focus.
    this.button.setAttribute("aria-disabled", String(this.#busy || this.button.disabled));
  }
}
