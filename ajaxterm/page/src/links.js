/**
 * Addresses in the guest's output. None is opened unasked: Ctrl+click (or
 * Command) opens what is in plain sight, any other click asks; and an address
 * behind other words (OSC 8) is always shown and asked about.
 */

import { WebLinksAddon } from "@xterm/addon-web-links";

import { ask } from "./dialogs.js";
import { element } from "./dom.js";
import { plain } from "./plain.js";
import { strings } from "./strings.js";

/**
 * @param {import("@xterm/xterm").Terminal} terminal
 * @param {HTMLElement} hint where the address under the pointer is shown
 */
export function findLinks(terminal, hint) {
  const show = (/** @type {string} */ words) => {
    hint.textContent = words;
    hint.hidden = false;
  };
  const leave = () => {
    hint.hidden = true;
  };
  const open = async (/** @type {string} */ address, /** @type {boolean} */ isSure) => {
    leave();
    const url = webAddress(address);
    if (!url) return;
    const code = element("code", {}, plain(url, 2000));
    const body = [strings.openLinkWords, element("p", {}, code)];
    if (isSure || (await ask({ title: strings.openLinkTitle, body, yes: strings.openLinkDo }))) {
      window.open(url, "_blank", "noopener,noreferrer");
    }
    terminal.focus();
  };
  terminal.loadAddon(
    new WebLinksAddon((event, address) => open(address, event.ctrlKey || event.metaKey), {
      hover: (_event, address) => show(strings.linkHint(plain(address, 200))),
      leave,
    }),
  );
  terminal.options.linkHandler = {
    activate: (_event, address) => {
      open(address, false);
    },
    hover: (_event, address) => show(plain(address, 200)),
    leave,
  };
}

/**
 * @param {string} address
 * @returns {string|null} null unless it is of the web; with letters of other scripts made plain
 */
export function webAddress(address) {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
