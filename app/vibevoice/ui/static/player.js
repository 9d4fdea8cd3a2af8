// A sound with a button, a line to seek on and a clock. One plays at a time.

import { h, sign, text } from "./dom.js";
import { clock, say } from "./say.js";

let playing = null;

export class Player {
  /** `name()` says what is played, in the page's language. */
  constructor(name) {
    this.name = name;
    this.source = "";
    this.live = false;
    this.known = 0;
    this.audio = h("audio", { preload: "none" });
    this.button = h("button", { type: "button", class: "round", onclick: () => this.toggle() });
    this.line = h("input", { type: "range", class: "seek", min: 0, max: 1000, value: 0, step: 1 });
    this.line.addEventListener("input", () => this.seek());
    this.time = h("span", { class: "time" });
    this.element = h("div", { class: "player" }, this.audio, this.button, this.line, this.time);
    for (const name of ["play", "pause", "ended", "timeupdate", "durationchange", "waiting", "playing", "seeked"]) {
      this.audio.addEventListener(name, () => this.show());
    }
    this.audio.addEventListener("play", () => {
      if (playing && playing !== this) playing.audio.pause();
      playing = this;
    });
    this.audio.addEventListener("error", () => this.failed());
    this.show();
  }

  /**
   * What to play from now on. What plays already is left alone, and the new source taken at its end.
   * `live`: it is still being made, with `known` seconds so far.
   */
  set(source, { live = false, known = 0 } = {}) {
    this.known = known;
    if (source !== this.wanted) {
      this.wanted = source;
      this.wantedLive = live;
    }
    if (this.wanted !== this.source && this.idle) this.load();
    this.show();
  }

  get idle() {
    return !this.source || (this.audio.paused && (this.audio.ended || !this.audio.currentTime));
  }

  load() {
    this.source = this.wanted;
    this.live = this.wantedLive;
    this.broken = false;
    this.element.classList.toggle("live", this.live);
    if (this.source) this.audio.src = this.source;
    else this.audio.removeAttribute("src");
  }

  toggle() {
    if (!this.audio.paused) return this.audio.pause();
    if (this.broken || (this.wanted !== this.source && this.audio.ended)) this.load();
    this.audio.play().catch((error) => error.name !== "AbortError" && this.failed());
  }

  stop() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.source = "";
  }

  get duration() {
    const real = this.audio.duration;
    return this.live || !Number.isFinite(real) || !real ? Math.max(this.known, this.audio.currentTime) : real;
  }

  seek() {
    if (this.live) return this.show();
    this.audio.currentTime = (this.line.value / 1000) * this.duration;
  }

  failed() {
    if (!this.source || !this.audio.getAttribute("src")) return;
    this.broken = true;
    this.show();
  }

  show() {
    const on = !this.audio.paused && !this.audio.ended;
    if (this.button.dataset.shows !== String(on)) {
      this.button.dataset.shows = on;
      this.button.replaceChildren(sign(on ? "pause" : "play"));
    }
    this.button.ariaLabel = `${say(on ? "pause" : "play")}: ${this.name()}`;
    const at = this.audio.currentTime, whole = this.duration;
    this.line.value = whole ? Math.round((at / whole) * 1000) : 0;
    this.line.style.setProperty("--at", `${whole ? (at / whole) * 100 : 0}%`);
    this.line.disabled = this.live || !whole;
    this.line.ariaLabel = say("seek");
    this.line.setAttribute("aria-valuetext", `${clock(at)} / ${clock(whole)}`);
    this.element.classList.toggle("on", on);
    text(this.time, this.broken ? say("play_failed") : `${clock(at)} / ${clock(whole)}`);
  }
}
