/**
 * Elements, made and changed in few words.
 */

/**
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Record<string, any>} [properties] set on the element; those with a dash, `role` and `for` as attributes
 * @param {...(Node|string)} children
 * @returns {HTMLElementTagNameMap[N]}
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "for" || key === "popover") made.setAttribute(key, value);
    else /** @type {any} */ (made)[key] = value;
  }
  made.append(...children);
  return made;
}

/**
 * @template {keyof HTMLElementTagNameMap} N
 * @param {string} text
 * @param {() => void} pressed
 * @param {Record<string, any>} [properties]
 */
export function button(text, pressed, properties = {}) {
  const made = element("button", { type: "button", ...properties }, text);
  made.addEventListener("click", pressed);
  return made;
}

/**
 * A picture from index.html; says nothing to a screen reader.
 *
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/**
 * @param {string} name
 * @param {string} label
 * @param {() => void} pressed
 */
export function iconButton(name, label, pressed) {
  const made = button("", pressed, { "aria-label": label, title: label, className: "flat" });
  made.append(icon(name));
  return made;
}

/**
 * Leaves alone what is as it should be: a live region speaks at every write.
 *
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
