// What is being made, below the desk: the unfinished jobs, and those that ended while the page was open.

import { Card } from "./card.js";
import { $, text } from "./dom.js";
import * as jobs from "./jobs.js";

const MOST = 6;

export class Now {
  constructor(context) {
    this.context = context;
    this.cards = new Map();
    jobs.onChange(() => this.update());
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
    $("now").hidden = !this.cards.size;
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
