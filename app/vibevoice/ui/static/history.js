// All jobs that the visitor may see, newest first, with a search in titles and scripts.

import { Card } from "./card.js";
import { $, debounced, h, text } from "./dom.js";
import * as jobs from "./jobs.js";
import { fault, onLanguage, say } from "./say.js";

const STATES = { all: [], busy: ["queued", "running"], done: ["done"], failed: ["failed", "cancelled"] };

export class History {
  /** `context` is for the cards; `facts` are the studio's. */
  constructor(context, facts) {
    Object.assign(this, { context, facts });
    this.cards = new Map();
    this.asked = 0;
    this.more = null;
    this.loaded = false;
    const again = debounced(() => this.load(), 250);
    $("search").addEventListener("input", again);
    $("states").addEventListener("change", () => this.load());
    $("find").addEventListener("submit", (event) => (event.preventDefault(), this.load()));
    $("history-more").addEventListener("click", () => this.load(true));
    onLanguage(() => this.words());
    jobs.onChange((id) => this.changed(id));
  }

  words() {
    const chosen = $("states").value || "all";
    $("states").replaceChildren(...Object.keys(STATES).map((name) =>
      h("option", { value: name, selected: name === chosen }, say(`states_${name}`))));
    text($("kept"), say("kept", { days: this.facts.keep_days }));
    this.empty();
  }

  get filter() {
    return { search: $("search").value.trim(), states: STATES[$("states").value] ?? [] };
  }

  get narrowed() {
    return Boolean(this.filter.search || this.filter.states.length);
  }

  show() {
    if (!this.loaded) this.load();
  }

  /** Read the list anew; `on`: the next page of it. */
  async load(on = false) {
    const mine = ++this.asked;
    $("history-jobs").ariaBusy = "true";
    try {
      const page = await jobs.list({ ...this.filter, before: on ? this.more : "" });
      if (mine !== this.asked) return;
      this.loaded = true;
      this.more = page.has_more ? page.next_before : null;
      if (!on) this.keepOnly(page.data.map((job) => job.id));
      for (const job of page.data) this.place(job.id);
      this.problem = null;
    } catch (error) {
      if (mine !== this.asked) return;
      this.problem = error;
    }
    $("history-jobs").ariaBusy = "false";
    $("history-more").hidden = !this.more;
    this.empty();
  }

  keepOnly(ids) {
    for (const [id, card] of this.cards) {
      if (ids.includes(id)) continue;
      card.player.stop();
      card.element.remove();
      this.cards.delete(id);
    }
  }

  /** Put a job's card where its age belongs. */
  place(id) {
    if (this.cards.has(id)) return;
    const card = new Card(id, this.context);
    const age = card.job.created_at;
    const after = [...$("history-jobs").children].find((one) => (jobs.find(one.dataset.job)?.created_at ?? 0) < age);
    $("history-jobs").insertBefore(card.element, after ?? null);
    this.cards.set(id, card);
  }

  changed(id) {
    if (id === "list" || !id) return;
    const job = jobs.find(id);
    if (!job) this.cards.delete(id);
    // A search is not widened by what happens meanwhile.
    else if (this.loaded && !this.narrowed && this.isNew(job)) this.place(id);
    this.empty();
  }

  /** Whether a job is younger than the oldest shown: older ones are on a page to come. */
  isNew(job) {
    const oldest = $("history-jobs").lastElementChild;
    return !this.more || !oldest || job.created_at >= (jobs.find(oldest.dataset.job)?.created_at ?? 0);
  }

  empty() {
    const none = this.loaded || this.problem ? !this.cards.size || Boolean(this.problem) : false;
    $("history-empty").hidden = !none;
    if (!none) return;
    const why = this.problem ? "problem" : this.narrowed ? "search" : "empty";
    text($("history-empty-title"), say(`history_${why}_title`));
    text($("history-empty-text"), this.problem ? fault(this.problem) : say(`history_${why}`));
  }
}
