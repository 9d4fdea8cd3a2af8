// The page's languages. Words come from the server, as a module for each.

import { h } from "./dom.js";

const COOKIE = "vv_lang";
const KNOWN = ["en", "zh"];
let words = {}, patterns = [];
const listeners = new Set();

export let language = "en";
/** The page's language as dates and numbers want it: as the browser's country writes them. */
let locale = "en";

/** A text with its placeholders filled in; plain text. */
export function say(key, values = {}) {
  if (!(key in words)) console.error(`There are no words for ${key}`);
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
}

export const knows = (key) => key in words;

/** Call a function each time that the language has changed. */
export const onLanguage = (call) => listeners.add(call);

/** The language asked for before, here or at the login; else the browser's. */
export function preferred() {
  const chosen = document.cookie.match(/(?:^|;\s*)vv_lang=(\w+)/)?.[1];
  if (KNOWN.includes(chosen)) return chosen;
  const liked = (navigator.languages ?? [navigator.language]).map((one) => one.toLowerCase().split("-")[0]);
  return liked.find((one) => KNOWN.includes(one)) ?? "en";
}

/** Speak a language from now on; `keep` it for the next visit, here and on the site's other pages. */
export async function speak(chosen, keep = false) {
  const module = await import(`./words-${chosen}.js`);
  const { tag } = module.default;
  ({ words, errors: patterns } = module.default);
  locale = navigator.languages?.find((one) => one.toLowerCase().startsWith(chosen)) ?? tag;
  patterns = patterns.map(([pattern, template]) => [new RegExp(`^${pattern}$`, "s"), template]);
  language = chosen;
  document.documentElement.lang = tag;
  if (keep) {
    const path = location.pathname.startsWith("/vibevoice/") ? "/vibevoice" : "/";
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${COOKIE}=${chosen}; Max-Age=31536000; Path=${path}; SameSite=Lax${secure}`;
  }
  fill(document);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", button.dataset.language === chosen);
  }
  spoken();
}

/** Let everything be said once more. */
export function spoken() {
  for (const call of listeners) call();
}

/** Put the words into all that names them: data-say, and for labels, hints and titles. */
export function fill(root) {
  for (const one of root.querySelectorAll("[data-say]")) one.textContent = say(one.dataset.say);
  for (const one of root.querySelectorAll("[data-say-label]")) one.ariaLabel = say(one.dataset.sayLabel);
  for (const one of root.querySelectorAll("[data-say-title]")) one.title = say(one.dataset.sayTitle);
  for (const one of root.querySelectorAll("[data-say-hint]")) one.placeholder = say(one.dataset.sayHint);
}

/** What went wrong, in the page's language: by the API's own words, else by its code. */
export function fault(error) {
  const { message = "", code = "" } = error ?? {};
  if (language === "en" && message) return message;
  const said = translated(message);
  if (said) return said;
  if (knows(`error_${code}`)) return say(`error_${code}`);
  return message ? say("error_other", { message }) : say("error_broken");
}

function translated(message) {
  for (const [pattern, template] of patterns) {
    const match = message.match(pattern);
    if (match) return template.replace(/\{(\d)\}/g, (_, n) => translated(match[n] ?? "") || (match[n] ?? ""));
  }
  return "";
}

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A length as people say it: 40 s, 3 min, 1 h 20 min. */
export function length(seconds) {
  if (seconds < 60) return say("seconds", { n: Math.max(1, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return say("minutes", { n: minutes });
  return say("hours", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

export const count = (number) => number.toLocaleString(locale);

/** A moment: the time alone if it was today. Element of its own, so that the exact one is there too. */
export function moment(unix) {
  const date = new Date(unix * 1000);
  const today = date.toDateString() === new Date().toDateString();
  const shown = today
    ? date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" });
  return h("time", { datetime: date.toISOString(), title: date.toLocaleString(locale) }, shown);
}
