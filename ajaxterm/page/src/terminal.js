/**
 * The terminal in the page: xterm.js, set up for a serial console.
 *
 * It opens no link unasked, keeps its hands off the clipboard (OSC 52), the
 * window (CSI t) and the page's title (OSC 0, 2), all of which a guest could ask for.
 */

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

import { coloursFor } from "./colours.js";
import { strings } from "./strings.js";

/**
 * @param {HTMLElement} place filled by the terminal, and followed when it changes its size
 * @returns {Terminal}
 */
export function openTerminal(place) {
  const prefersLight = window.matchMedia("(prefers-color-scheme: light)");
  const narrow = window.matchMedia("(max-width: 600px)");
  const terminal = new Terminal({
    // The server keeps bytes (1 MiB by default), this keeps lines.
    scrollback: 10_000,
    cursorBlink: false,
    cursorInactiveStyle: "outline",
    fontFamily: 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
    fontSize: narrow.matches ? 12 : 14,
    ...coloursFor(prefersLight.matches),
    linkHandler: { activate: (_event, address) => openLink(address) },
    logLevel: "off",
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.attachCustomKeyEventHandler((event) => !leaves(event) && !copies(event, terminal));
  terminal.open(place);
  keepInverse(terminal);
  terminal.textarea?.setAttribute("aria-label", strings.terminalLabel);

  prefersLight.addEventListener("change", () => {
    terminal.options = coloursFor(prefersLight.matches);
  });
  narrow.addEventListener("change", () => {
    terminal.options.fontSize = narrow.matches ? 12 : 14;
    fit.fit();
  });
  fit.fit();
  new ResizeObserver(() => requestAnimationFrame(() => fit.fit())).observe(place);
  return terminal;
}

/**
 * The text in the terminal with what was scrolled away, lines put together
 * again where they were wrapped, without the empty rest of the screen.
 *
 * @param {Terminal} terminal
 */
export function textOf(terminal) {
  const buffer = terminal.buffer.active;
  let text = "";
  for (let row = 0; row < buffer.length; row += 1) {
    const line = buffer.getLine(row);
    const goesOn = buffer.getLine(row + 1)?.isWrapped ?? false;
    text += (line?.translateToString(!goesOn) ?? "") + (goesOn ? "" : "\n");
  }
  return text.trimEnd();
}

/**
 * Inverse text in the default colours (a menu's chosen line) is taken by
 * xterm.js 6.0 for text in its own background's colour, and its contrast
 * mended to grey. Text that really is in its background's colour is meant to
 * be hidden; so neither is to be mended. Private names: without them nothing
 * is lost but looks.
 *
 * @param {Terminal} terminal
 */
function keepInverse(terminal) {
  const rows = /** @type {any} */ (terminal)._core._renderService?._renderer?.value?._rowFactory;
  const mend = rows?._applyMinimumContrast;
  if (!mend) return;
  rows._applyMinimumContrast = (/** @type {any[]} */ ...of) => {
    const [, background, foreground] = of;
    return background === foreground ? false : mend.apply(rows, of);
  };
}

/**
 * Ctrl+F6 goes to the status bar, which page.js sees to.
 *
 * @param {KeyboardEvent} event
 */
function leaves(event) {
  return event.key === "F6" && event.ctrlKey;
}

/**
 * Ctrl+Shift+C copies what is selected, as terminals do.
 *
 * @param {KeyboardEvent} event
 * @param {Terminal} terminal
 */
function copies(event, terminal) {
  if (!(event.ctrlKey && event.shiftKey && event.code === "KeyC" && terminal.hasSelection())) {
    return false;
  }
  event.preventDefault();
  // navigator.clipboard is missing where the page came by plain http.
  if (event.type === "keydown") document.execCommand("copy");
  return true;
}

/** @param {string} address what the guest said; xterm.js lets only http and https pass */
function openLink(address) {
  if (window.confirm(strings.openLink(address))) window.open(address, "_blank", "noopener,noreferrer");
}
