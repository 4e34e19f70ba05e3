/**
 * Text from elsewhere, made fit to stand in one line of ours: no control
 * characters, nothing that turns the direction of writing round, not too long.
 *
 * @param {string} text
 * @param {number} most characters
 */
export function plain(text, most) {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").trim();
  const characters = Array.from(line);
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : line;
}
