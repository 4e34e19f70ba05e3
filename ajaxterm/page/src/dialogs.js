/**
 * Questions in the middle of the page. One at a time; Escape is a no.
 */

import { button, element } from "./dom.js";
import { strings } from "./strings.js";

/**
 * @param {object} question
 * @param {string} question.title
 * @param {(Node|string)[]} question.body strings become paragraphs
 * @param {string} question.yes what the button that does it says
 * @param {boolean} [question.isGrave] whether it can't be taken back
 * @param {string} [question.no]
 * @param {HTMLElement} [question.focus] what has the focus first; else the no of what is grave, the yes of what is not
 * @returns {Promise<boolean>}
 */
export function ask({ title, body, yes, isGrave = false, no = strings.cancel, focus }) {
  const heading = element("h2", { id: "dialog-title" }, title);
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, heading);
  for (const part of body) dialog.append(typeof part === "string" ? element("p", {}, part) : part);
  return new Promise((resolve) => {
    let answer = false;
    const refuse = button(no, () => dialog.close());
    const accept = button(
      yes,
      () => {
        answer = true;
        dialog.close();
      },
      { className: isGrave ? "grave" : "main" },
    );
    dialog.append(element("div", { className: "buttons" }, refuse, accept));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    // The terminal and the page's keys are not to hear it.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(dialog);
    dialog.showModal();
    (focus ?? (isGrave ? refuse : accept)).focus();
  });
}
