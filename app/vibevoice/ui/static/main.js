// The page's beginning: waits for Gradio's frame, then brings the views to life.

import { get, onLogin } from "./api.js";
import { refresh } from "./card.js";
import { $, h, text } from "./dom.js";
import { History } from "./history.js";
import * as jobs from "./jobs.js";
import * as library from "./library.js";
import { Now } from "./now.js";
import { fault, onLanguage, preferred, say, speak, spoken } from "./say.js";
import { ornaments, Voices } from "./voices.js";
import { Desk } from "./write.js";

const VIEWS = ["write", "history", "voices"];
const facts = JSON.parse(document.querySelector("meta[name=studio]").content);
const notices = { login: false, connection: "" };

const frame = new Promise((resolve) => {
  const there = () => $("studio") && (observer.disconnect(), resolve());
  const observer = new MutationObserver(there);
  observer.observe(document, { childList: true, subtree: true });
  there();
});

async function start() {
  let [person] = await Promise.all([get("v1/me").catch(() => ({})), frame]);
  document.documentElement.classList.add("studio-page");
  const me = person.user ?? "";
  text($("project"), facts.project);
  text($("who"), me);
  $("keys").hidden = $("logout").hidden = !facts.door;
  ornaments();
  await speak(preferred());

  const context = { me: () => me, reuse, ended };
  const now = new Now(context);
  const desk = new Desk(facts, `vibevoice:${facts.project}:${me}:draft`, now);
  const history = new History(context, facts);
  new Voices(facts);
  async function ended() {
    person = await get("v1/me").catch(() => person);
    minutes(person);
  }
  async function reuse(job) {
    if (await desk.reuse(job)) show("write", true);
  }

  jobs.onChange((id) => id !== "list" && refresh(id));
  onLanguage(notice);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => speak(button.dataset.language, true));
  }
  tabs((view) => {
    if (view === "history") history.show();
    if (view === "voices") library.read().catch(() => {});
  });
  onLanguage(() => minutes(person));
  spoken();
  onLogin((out) => {
    notices.login = out;
    notice();
  });
  jobs.watch((state) => {
    notices.connection = state === "lost" ? "lost" : "";
    notice();
  });
  library.read().catch((error) => console.warn(fault(error)));
  $("studio").dataset.ready = "";
}

/** What is wrong with the connection, until it is right again. */
function notice() {
  const box = $("notices");
  if (notices.login) {
    box.replaceChildren(h("p", { class: "note bad" }, say("logged_out"), " ",
      h("a", { href: location.href.split("#")[0] }, say("log_in"))));
  } else if (notices.connection) {
    box.replaceChildren(h("p", { class: "note bad" }, say("connection_lost")));
  } else box.replaceChildren();
}

/** What is left of the project's day. */
function minutes({ minutes_today: used, limits }) {
  $("minutes").hidden = limits?.minutes_per_day == null;
  if (!$("minutes").hidden) text($("minutes"), say("minutes_used", { used: Math.ceil(used), most: limits.minutes_per_day }));
}

function show(view, focus = false) {
  if (location.hash.slice(1) !== view) history.pushState(null, "", `${location.pathname}${location.search}#${view}`);
  dispatchEvent(new CustomEvent("view", { detail: { focus } }));
}

/** The views as tabs, one at a time, in the address so that Back works. */
function tabs(opened) {
  const all = VIEWS.map((view) => $(`tab-${view}`));
  const turn = (event) => {
    const asked = location.hash.slice(1);
    const view = VIEWS.includes(asked) ? asked : VIEWS[0];
    for (const tab of all) {
      const here = tab.dataset.view === view;
      tab.ariaSelected = String(here);
      tab.tabIndex = here ? 0 : -1;
      $(`view-${tab.dataset.view}`).hidden = !here;
      if (here && event?.detail?.focus) $("content").focus({ preventScroll: true }), scrollTo(0, 0);
    }
    opened(view);
  };
  for (const tab of all) tab.addEventListener("click", () => show(tab.dataset.view));
  for (const link of document.querySelectorAll("[data-go]")) link.addEventListener("click", () => show(link.dataset.go, true));
  $("tab-write").parentElement.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    show(next.dataset.view);
  });
  document.querySelector("a.skip").addEventListener("click", (event) => (event.preventDefault(), $("content").focus()));
  addEventListener("popstate", turn);
  addEventListener("view", turn);
  turn();
}

start();
