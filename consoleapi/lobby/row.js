// One guest in the table: made once, then kept up to date in place, so that
// focus and choices stay where they are.

const SURE = 5000; // ms in which a second click ends a console

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

function attendance({ device, viewers, users }, isOne) {
  const where = isOne ? "open" : device;
  if (!viewers) return `${where}, nobody on it`;
  const who = users.filter(Boolean).join(", ");
  const count = viewers === 1 ? "1 viewer" : `${viewers} viewers`;
  return `${where}, ${count}${who ? `: ${who}` : ""}`;
}

export class Row {
  #guest = null;
  #busy = false;
  #end = null;
  #consoles = new Map(); // lines about open consoles, by their ids

  // do: what the buttons do: open(row, guest, device, mode), share(row, guest,
  // device) and end(row, guest, console). A device of null is any.
  constructor(act) {
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
    this.button = this.#button("open", `why-${number}`);
    this.watch = this.#button("watch", `why-${number}`);
    this.share = this.#button("share", `why-${number}`);
    choice.append(this.device, this.button, this.watch, this.share);
    this.why = make("p", "why", { id: `why-${number}` });
    this.outcome = make("p", "outcome", { role: "status" });
    action.append(choice, this.why, this.outcome);

    this.node.append(title, this.host, this.state, this.attendance, action);
    const device = () => (this.device.hidden ? null : this.device.value);
    this.#onClick(this.button, () => act.open(this, this.#guest, device(), this.#guest.mode));
    this.#onClick(this.watch, () => act.open(this, this.#guest, device(), "ro"));
    this.#onClick(this.share, () => act.share(this, this.#guest, device()));
    this.#end = (console) => act.end(this, this.#guest, console);
    this.say("");
  }

  #button(className, describedBy) {
    const button = make("button", className, { type: "button", "aria-describedby": describedBy });
    button.append(make("span"), make("span", "unseen"));
    return button;
  }

  // Not disabled while busy: it would lose the focus.
  #onClick(button, act) {
    button.addEventListener("click", () => {
      if (!this.#busy && !this.#guest.closed) act();
    });
  }

  show(guest) {
    const before = this.#guest;
    this.#guest = guest;
    write(this.name, guest.name);
    write(this.uuid, guest.id);
    write(this.host, guest.host);
    write(this.state, WORDS[guest.state] ?? guest.state);
    this.state.dataset.state = guest.state;
    this.#showConsoles(guest);
    this.attendance.dataset.open = String(guest.consoles.length > 0);
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

  #showConsoles({ name, consoles, mode }) {
    const here = new Set(consoles.map((console) => console.id));
    for (const [id, line] of this.#consoles) {
      if (!here.has(id)) {
        line.remove();
        this.#consoles.delete(id);
      }
    }
    if (!this.closed) {
      this.closed = make("span");
      this.closed.textContent = "closed";
      this.attendance.append(this.closed);
    }
    this.closed.hidden = consoles.length > 0;
    for (const console of consoles) {
      let line = this.#consoles.get(console.id);
      if (!line) {
        line = this.#consoleLine(console.id);
        this.#consoles.set(console.id, line);
        this.attendance.append(line);
      }
      write(line.firstChild, attendance(console, consoles.length === 1));
      line.lastChild.hidden = mode !== "rw";
      write(line.lastChild.lastChild, ` the console of ${name}`);
    }
  }

  // Its end concerns others too, so the button asks once more.
  #consoleLine(id) {
    const line = make("div", "line");
    const button = make("button", "end", { type: "button" });
    const label = make("span");
    let sure = 0;
    const calm = () => {
      clearTimeout(sure);
      sure = 0;
      write(label, "End");
    };
    button.append(label, make("span", "unseen"));
    button.addEventListener("click", () => {
      if (sure) {
        calm();
        if (!this.#busy) this.#end(id);
      } else {
        write(label, "End for all?");
        sure = setTimeout(calm, SURE);
      }
    });
    calm();
    line.append(make("span"), button);
    return line;
  }

  #showButton() {
    const { name, host, closed, mode } = this.#guest;
    const mayType = mode === "rw";
    const labels = [
      [this.button, mayType ? "Open console" : "Watch console", ` of ${name} on ${host}`],
      [this.watch, "Watch", ` the console of ${name} on ${host}, without typing`],
      [this.share, "Copy link", ` to watch the console of ${name} on ${host}`],
    ];
    for (const [button, label, whose] of labels) {
      write(button.firstChild, this.#busy && button === this.button ? "Opening…" : label);
      write(button.lastChild, whose);
      button.disabled = Boolean(closed);
      button.setAttribute("aria-disabled", String(this.#busy || button.disabled));
    }
    this.watch.hidden = !mayType;
    this.device.disabled = this.button.disabled;
  }
}
