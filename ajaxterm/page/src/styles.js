/**
 * Makes xterm.js live under a Content-Security-Policy without `unsafe-inline`.
 *
 * xterm.js writes its colours and cell sizes into `<style>` elements, and the
 * colours of single cells into `style` attributes. A strict `style-src 'self'`
 * forbids both, since markup could do the same; what a script does through the
 * CSSOM it allows. So the elements which xterm.js makes are taught to go that
 * way. (This page has no other styles made by script.)
 */

/** @param {Document} document the page's, before a terminal is opened in it */
export function styleThroughScript(document) {
  const createElement = document.createElement.bind(document);
  /** @type {any} */ (document).createElement = (/** @type {string} */ name, /** @type {any} */ options) => {
    if (name === "style") return adoptedSheet(createElement("span"));
    const element = createElement(name, options);
    if (name === "span") element.setAttribute = setAttribute;
    return element;
  };
}

/**
 * An element whose text is a style sheet, as that of a `<style>` is.
 *
 * @param {HTMLElement} element which will hold nothing
 */
function adoptedSheet(element) {
  const sheet = new CSSStyleSheet();
  const document = element.ownerDocument;
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  element.hidden = true;
  Object.defineProperty(element, "textContent", {
    set: (/** @type {string} */ text) => sheet.replaceSync(text),
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

/**
 * @this {HTMLElement}
 * @param {string} name
 * @param {string} value
 */
function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}
