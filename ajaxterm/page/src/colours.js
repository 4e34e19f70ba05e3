/**
 * The terminal's colours, dark and light. style.css has the bar's.
 *
 * Guests choose theirs for a black screen and the palette of a VGA; where that
 * gives a pair that can't be read here, xterm.js is to change the letters'
 * colour (WCAG AA asks for a contrast of 4.5).
 */

/** @param {boolean} isLight */
export const coloursFor = (isLight) => ({ theme: isLight ? light : dark, minimumContrastRatio: 4.5 });

/** @type {import("@xterm/xterm").ITheme} */
const dark = {
  background: "#14171c",
  foreground: "#d8dce2",
  cursor: "#e6e9ee",
  cursorAccent: "#14171c",
  selectionBackground: "#3a5a80",
  selectionInactiveBackground: "#323c49",
  scrollbarSliderBackground: "#ffffff26",
  scrollbarSliderHoverBackground: "#ffffff40",
  scrollbarSliderActiveBackground: "#ffffff59",
  black: "#23272e",
  red: "#e5686d",
  green: "#7fbf6e",
  yellow: "#d9b155",
  blue: "#3d76c2",
  magenta: "#c58ade",
  cyan: "#5dbfc4",
  white: "#c9ced6",
  brightBlack: "#7a828e",
  brightRed: "#f58b8f",
  brightGreen: "#a1d990",
  brightYellow: "#f0cd7b",
  brightBlue: "#93c0fb",
  brightMagenta: "#dcadee",
  brightCyan: "#86dade",
  brightWhite: "#f4f6f9",
};

/** @type {import("@xterm/xterm").ITheme} */
const light = {
  background: "#fdfdfc",
  foreground: "#23282f",
  cursor: "#23282f",
  cursorAccent: "#fdfdfc",
  selectionBackground: "#b7d4f5",
  selectionInactiveBackground: "#dde3ea",
  scrollbarSliderBackground: "#00000026",
  scrollbarSliderHoverBackground: "#00000040",
  scrollbarSliderActiveBackground: "#00000059",
  black: "#23282f",
  red: "#b3262d",
  green: "#2c7a1f",
  yellow: "#8a6100",
  blue: "#1b5fb8",
  magenta: "#8a3aa8",
  cyan: "#0d7076",
  white: "#d3d8df",
  brightBlack: "#6a717b",
  brightRed: "#cc3a41",
  brightGreen: "#37882a",
  brightYellow: "#966a00",
  brightBlue: "#2c70cc",
  brightMagenta: "#9d4dbb",
  brightCyan: "#157b82",
  brightWhite: "#ffffff",
};

/**
 * @param {boolean} isLight
 * @returns {import("@xterm/addon-search").ISearchOptions["decorations"]}
 */
export const searchColours = (isLight) => ({
  matchBackground: isLight ? "#f4e3a6" : "#57480f",
  matchOverviewRuler: isLight ? "#b78c00" : "#d9b155",
  activeMatchBackground: isLight ? "#f2b84b" : "#96640a",
  activeMatchColorOverviewRuler: isLight ? "#8a5a00" : "#f0cd7b",
});
