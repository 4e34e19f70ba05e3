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
 * @param {(event: KeyboardEvent) => boolean} isForPage whether a key is none of the terminal's
 */
export function openTerminal(place, isForPage) {
  const narrow = window.matchMedia("(max-width: 700px)");
  const terminal = new Terminal({
    // The server keeps bytes (1 MiB by default), this keeps lines.
    scrollback: 10_000,
    cursorBlink: false,
    cursorInactiveStyle: "outline",
    fontFamily: 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
    logLevel: "off",
    // For the marks of what was found.
    allowProposedApi: true,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.attachCustomKeyEventHandler((event) => !isForPage(event));
  terminal.open(place);
  keepInverse(terminal);
  terminal.textarea?.setAttribute("aria-label", strings.terminalLabel);

  let wanted = 0;
  const resize = () => {
    terminal.options.fontSize = wanted || (narrow.matches ? 12 : 14);
    fit.fit();
  };
  narrow.addEventListener("change", resize);
  resize();
  new ResizeObserver(() => requestAnimationFrame(() => fit.fit())).observe(place);

  return {
    terminal,

    /** @param {number} size in pixels; 0 for what suits the screen */
    setFontSize: (size) => {
      wanted = size;
      resize();
    },

    /**
     * @param {boolean} isLight
     * @param {boolean} isDimmed then letters keep their distance
     */
    setColours: (isLight, isDimmed) => {
      const { theme, minimumContrastRatio } = coloursFor(isLight);
      Object.assign(terminal.options, { theme, minimumContrastRatio: isDimmed ? 7 : minimumContrastRatio });
    },
  };
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
