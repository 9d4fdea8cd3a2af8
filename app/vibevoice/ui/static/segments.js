// A job's segments: each to be heard alone, and spoken anew.

import { job as path } from "./api.js";
import { h, text, tone } from "./dom.js";
import * as jobs from "./jobs.js";
import { Player } from "./player.js";
import { clock, fault, say } from "./say.js";

export class Segments {
  constructor(id) {
    this.id = id;
    this.rows = [];
    this.list = h("ol");
    this.problem = h("p", { class: "note bad", role: "alert", hidden: true });
    this.help = h("p", { class: "muted" });
    this.element = h("div", { class: "segments", hidden: true }, this.help, this.problem, this.list);
  }

  toggle(job) {
    this.element.hidden = !this.element.hidden;
    jobs.details(this.id);
    this.update(job);
    return !this.element.hidden;
  }

  /** Bring the rows up to date, if anybody sees them. */
  update(job) {
    if (this.element.hidden) return;
    const segments = jobs.segments(job);
    while (this.rows.length < segments.length) {
      const row = new Row(this, this.rows.length);
      this.rows.push(row);
      this.list.append(row.element);
    }
    segments.forEach((segment, n) => this.rows[n].update(job, segment));
    this.element.ariaBusy = !job.segments;
    text(this.help, say(jobs.final(job) ? "segments_help" : "segments_wait"));
  }

  words() {
    const job = jobs.find(this.id);
    if (job) this.update(job);
  }

  stop() {
    this.rows.forEach((row) => row.player.stop());
  }
}

class Row {
  constructor(panel, n) {
    this.n = n;
    this.player = new Player(() => say("segment", { n: n + 1 }));
    this.words = h("bdi", { class: "first-words" });
    this.dots = h("span", { class: "dots" });
    this.when = h("span", { class: "muted" });
    this.again = h("button", { type: "button", class: "small second", onclick: () => this.regenerate(panel) });
    this.element = h("li", {}, this.player.element,
      h("div", { class: "segment-text" }, this.dots, this.words, this.when), this.again);
  }

  async regenerate(panel) {
    panel.problem.hidden = true;
    try {
      await jobs.regenerate(panel.id, this.n);
    } catch (error) {
      text(panel.problem, fault(error));
      panel.problem.hidden = false;
    }
  }

  update(job, segment) {
    this.element.dataset.state = segment.state;
    text(this.words, segment.text);
    this.dots.replaceChildren(...segment.speakers.map((who) => {
      const n = typeof who === "number" ? who : job.speakers.indexOf(who);
      return h("i", { class: `tone-${tone(Math.max(0, n))}`, title: job.speakers[n] ?? who });
    }));
    const told = segment.state === "done"
      ? `${clock(segment.start_s)}–${clock(segment.end_s)}${segment.capped ? ` · ${say("capped")}` : ""}`
      : say(`segment_${segment.state}`);
    text(this.when, told);
    const heard = segment.state === "done" || (job.audible && segment.take != null);
    this.player.element.hidden = !heard;
    if (heard) {
      const source = path(job.id, `/audio?format=mp3&segment=${segment.n}&take=${segment.take}`);
      this.player.set(source, { known: segment.end_s - segment.start_s });
    }
    text(this.again, say("regenerate"));
    this.again.ariaLabel = say("regenerate_one", { n: segment.n + 1 });
    this.again.disabled = !jobs.final(job) || segment.state !== "done";
  }
}
