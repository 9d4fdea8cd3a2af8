// The page's one dialog: to confirm, to ask for a line of text, or with any content.

import { $, h } from "./dom.js";
import { say } from "./say.js";

/** Show content with buttons [{value, words, kind}]; resolves to the value chosen, "" if none was. */
export function open(title, content, buttons) {
  const dialog = $("dialog");
  $("dialog-title").textContent = title;
  $("dialog-body").replaceChildren(...content);
  const made = buttons.map(({ value, words, kind }) =>
    h("button", { value, class: kind, type: "submit", formnovalidate: value === "" }, words));
  $("dialog-actions").replaceChildren(...made);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

export const shut = () => $("dialog").close("");

const keep = () => ({ value: "", words: say("cancel"), kind: "second" });

/** Whether the visitor wants to. */
export const confirm = async (title, words, action) =>
  (await open(title, [h("p", {}, words)], [{ value: "yes", words: action, kind: "danger" }, keep()])) === "yes";

/** A line of text, or null. */
export async function askFor(title, label, value, longest) {
  const input = h("input", { id: "dialog-line", dir: "auto", maxlength: longest, required: true, autocomplete: "off" });
  input.value = value;
  const field = h("div", { class: "field" }, h("label", { for: "dialog-line" }, label), input);
  const answer = open(title, [field], [{ value: "yes", words: say("save"), kind: "primary" }, keep()]);
  input.select();
  return (await answer) === "yes" && input.value.trim() ? input.value.trim() : null;
}
