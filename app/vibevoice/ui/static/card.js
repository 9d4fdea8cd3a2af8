// A job on the page. Built once, then brought up to date in place: a sound that plays is never torn down.

import { job as path } from "./api.js";
import { askFor, confirm } from "./dialog.js";
import { chip, h, text } from "./dom.js";
import { doing, seconds, state } from "./doing.js";
import * as jobs from "./jobs.js";
import { Player } from "./player.js";
import { clock, fault, length, moment, onLanguage, say } from "./say.js";
import { Segments } from "./segments.js";

const FORMATS = ["mp3", "wav", "flac", "opus", "aac"];
const SUBTITLES = ["srt", "vtt"];
const cards = new Set();

/** Bring all cards of a job up to date; of all jobs, if none is named. */
export function refresh(id) {
  for (const card of cards) {
    if (!card.element.isConnected) cards.delete(card);
    else if (!id || card.id === id) card.update();
  }
}

export class Card {
  /** `reuse(job)` puts its script back on the desk; `me()` is the visitor's name. */
  constructor(id, { reuse, me }) {
    Object.assign(this, { id, reuse, me });
    this.title = h("bdi", {});
    this.badge = h("span", { class: "state" });
    this.meta = h("p", { class: "meta" });
    this.bar = h("i");
    this.progress = h("div", { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.bar);
    this.line = h("p", { class: "doing" });
    this.problem = h("p", { class: "note bad", role: "alert", hidden: true });
    this.player = new Player(() => this.job.title);
    this.segments = new Segments(id);
    this.buttons = {
      stop: this.button("stop", "second", () => this.stop()),
      retry: this.button("retry", "second", () => jobs.retry(id)),
      parts: this.button("segments", "second", () => this.open()),
      again: this.button("use_script", "quiet", () => this.reuse(this.job)),
      rename: this.button("rename", "quiet", () => this.rename()),
      remove: this.button("delete", "quiet bad", () => this.remove()),
    };
    this.buttons.parts.setAttribute("aria-expanded", "false");
    this.downloads = h("details", { class: "pull" }, h("summary", { class: "button second" }), h("div", { class: "pulled" }));
    const heading = h("h3", { id: `title-${id}` }, this.title);
    this.element = h("article", { class: "card job", "aria-labelledby": `title-${id}`, dataset: { job: id } },
      h("div", { class: "job-head" }, heading, this.badge), this.meta, this.progress, this.line, this.problem,
      h("div", { class: "job-foot" }, this.player.element,
        h("div", { class: "actions" }, this.downloads, ...Object.values(this.buttons))), this.segments.element);
    cards.add(this);
    this.words();
    this.update();
  }

  get job() {
    return jobs.find(this.id);
  }

  button(word, kind, call) {
    const act = async () => {
      this.problem.hidden = true;
      button.disabled = true;
      try {
        await call();
      } catch (error) {
        this.failed(error);
      }
      button.disabled = false;
    };
    const button = h("button", { type: "button", class: `small ${kind}`, onclick: act, dataset: { word } });
    return button;
  }

  failed(error) {
    text(this.problem, fault(error));
    this.problem.hidden = false;
  }

  words() {
    for (const button of Object.values(this.buttons)) text(button, say(button.dataset.word));
    text(this.downloads.firstChild, say("download"));
    const id = this.id, format = this.job?.format;
    // What was asked for comes first.
    const formats = FORMATS.includes(format) ? [format, ...FORMATS.filter((one) => one !== format)] : FORMATS;
    const link = (name, address) =>
      h("a", { class: "button quiet small", href: address, download: "" }, name);
    this.downloads.lastChild.replaceChildren(
      ...formats.map((format) => link(say(`format_${format}`), path(id, `/audio?format=${format}&download=1`))),
      ...SUBTITLES.map((format) => link(say(`subtitles_${format}`), path(id, `/subtitles?format=${format}`))));
  }

  update() {
    const job = this.job;
    if (!job) return this.gone();
    const over = jobs.final(job);
    this.element.dataset.state = job.state;
    text(this.title, job.title);
    text(this.badge, say(`state_${state(job)}`));
    this.badge.className = `state ${state(job)}`;
    this.about(job);
    const { audio_s: now, total_s: total } = job.progress;
    const share = over ? 100 : total ? Math.min(99, (now / total) * 100) : 0;
    this.progress.hidden = over || job.audible;
    this.progress.ariaValueNow = Math.round(share);
    this.progress.ariaLabel = say("progress");
    this.bar.style.width = `${share}%`;
    text(this.line, doing(job));
    this.line.hidden = !this.line.textContent;
    this.sound(job, over);
    const { stop, retry, parts } = this.buttons;
    stop.hidden = over;
    retry.hidden = !["failed", "cancelled"].includes(job.state);
    parts.hidden = !now && !job.audible;
    this.downloads.hidden = !job.audible;
    this.buttons.remove.hidden = !over;
    this.segments.update(job);
    if (job.state === "running") jobs.details(this.id);
  }

  about(job) {
    const mine = !job.user || job.user === this.me();
    const key = [job.title, job.speakers.join(), clock(seconds(job)), document.documentElement.lang].join();
    if (this.meta.dataset.key === key) return;
    this.meta.dataset.key = key;
    this.meta.replaceChildren(...[
      h("ul", { class: "chips" }, job.speakers.map(chip)),
      h("span", {}, job.audible ? clock(seconds(job)) : say("about", { time: length(seconds(job)) })),
      moment(job.created_at),
      mine ? null : h("bdi", {}, job.user),
    ].filter(Boolean));
  }

  /** A finished sound can be sought in; one in the making is heard from its beginning, as it comes. */
  sound(job, over) {
    const takes = jobs.segments(job).map((one) => one.take ?? "-").join(".");
    const heard = job.audible || job.progress.audio_s > 0 || job.state === "running";
    this.player.element.hidden = !heard;
    if (job.audible) this.player.set(path(this.id, `/audio?format=mp3&takes=${takes}`), { known: job.progress.audio_s });
    else if (heard) this.player.set(path(this.id, `/audio?live=1&format=mp3${over ? "&ended=1" : ""}`), { live: true, known: job.progress.audio_s });
  }

  open() {
    const opened = this.segments.toggle(this.job);
    this.buttons.parts.setAttribute("aria-expanded", opened);
  }

  async stop() {
    await jobs.cancel(this.id);
    if (this.job && !jobs.final(this.job)) jobs.keep({ ...this.job, stopping: true });
  }

  async rename() {
    const title = await askFor(say("rename"), say("title"), this.job.title, 200);
    if (title) await jobs.rename(this.id, title);
  }

  async remove() {
    if (await confirm(say("delete_title"), say("delete_job", { title: this.job.title }), say("delete"))) {
      await jobs.remove(this.id);
    }
  }

  gone() {
    this.player.stop();
    this.segments.stop();
    this.element.remove();
    cards.delete(this);
  }
}

onLanguage(() => {
  for (const card of cards) {
    card.words();
    card.segments.words();
  }
  refresh();
});

// A menu shuts when the visitor goes elsewhere.
addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.pull[open]")) {
    if (!menu.contains(event.target) || event.target.closest("a")) menu.open = false;
  }
});
addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.pull[open]");
  if (!menu) return;
  menu.open = false;
  menu.firstChild.focus();
});
