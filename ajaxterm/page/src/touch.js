/**
 * A finger scrolls the terminal, which xterm.js 6.0 leaves to the page. In a
 * full-screen program it turns arrows, as a wheel would.
 */

/**
 * @param {import("@xterm/xterm").Terminal} terminal
 * @param {(text: string) => void} press types as a key of the terminal
 */
export function scrollByTouch(terminal, press) {
  const place = /** @type {HTMLElement} */ (terminal.element);
  let last = 0;
  let rest = 0;
  place.addEventListener(
    "touchstart",
    (event) => {
      last = event.touches[0].clientY;
      rest = 0;
    },
    { passive: true },
  );
  place.addEventListener(
    "touchmove",
    (event) => {
      if (event.touches.length !== 1) return;
      event.preventDefault();
      const { clientY } = event.touches[0];
      const height = (place.clientHeight || 1) / terminal.rows;
      rest += (last - clientY) / height;
      last = clientY;
      const lines = Math.trunc(rest);
      if (lines === 0) return;
      rest -= lines;
      if (terminal.buffer.active.type === "normal") {
        terminal.scrollLines(lines);
      } else {
        const letter = lines > 0 ? "B" : "A";
        const arrow = `\x1b${terminal.modes.applicationCursorKeysMode ? "O" : "["}${letter}`;
        press(arrow.repeat(Math.min(Math.abs(lines), terminal.rows)));
      }
    },
    { passive: false },
  );
}
