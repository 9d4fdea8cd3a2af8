// What is being made, below the desk: the unfinished jobs, and those that ended while the page was open.

import { Card } from "./card.js";
import { $, text } from "./dom.js";
import { state } from "./doing.js";
import * as jobs from "./jobs.js";
import { say } from "./say.js";

const MOST = 6;

export class Now {
  constructor(context) {
    this.context = context;
    this.cards = new Map();
    this.title = document.title;
    this.states = new Map();
    jobs.onChange((id) => {
      this.update();
      this.tell(id);
    });
  }

  /** Show these, the first on top, whatever becomes of them. */
  add(ids) {
    for (const id of ids.slice(0, MOST).reverse()) this.put(id);
    this.trim();
    this.cards.get(ids[0])?.element.scrollIntoView({ behavior: "smooth", block: "nearest" });
  }

  put(id) {
    if (this.cards.has(id) || !jobs.find(id)) return;
    const card = new Card(id, this.context);
    this.cards.set(id, card);
    $("now-jobs").prepend(card.element);
    $("now").hidden = false;
  }

  update() {
    const mine = jobs.busy().filter((id) => [undefined, "", this.context.me()].includes(jobs.find(id).user));
    for (const id of mine.slice(0, MOST).reverse()) this.put(id);
    for (const [id, card] of this.cards) {
      if (!jobs.find(id)) this.cards.delete(id), card.element.remove();
    }
    this.trim();
    text($("busy"), mine.length ? String(mine.length) : "");
    $("busy").hidden = !mine.length;
    document.title = mine.length ? `(${mine.length}) ${this.title}` : this.title;
    $("now").hidden = !this.cards.size;
  }

  /** Whoever does not see the cards hears what became of them. */
  tell(id) {
    const job = jobs.find(id);
    if (!job || !this.cards.has(id)) return;
    if (this.states.get(id) !== job.state && this.states.has(id)) {
      text($("told"), say("told", { title: job.title, state: say(`state_${state(job)}`) }));
      if (jobs.final(job)) this.context.ended();
    }
    this.states.set(id, job.state);
  }

  /** The oldest that are over make room. */
  trim() {
    const over = [...this.cards.values()].filter((card) => !card.job || jobs.final(card.job));
    for (const card of over.slice(0, Math.max(0, this.cards.size - MOST))) {
      if (!card.player.idle) continue;
      card.element.remove();
      this.cards.delete(card.id);
    }
  }
}
