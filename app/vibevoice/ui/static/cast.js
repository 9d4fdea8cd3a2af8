// A voice for each speaker.

import { $, h, sign, tone } from "./dom.js";
import * as library from "./library.js";
import { onLanguage, say } from "./say.js";

const preview = new Audio();

export class Cast {
  /** `changed` is called when the visitor has chosen. */
  constructor(changed) {
    this.changed = changed;
    this.speakers = [];
    /** Of the library, by speaker's label; kept for labels that come back. */
    this.chosen = {};
    this.rows = [];
    library.onVoices(() => this.show());
    onLanguage(() => this.show());
    for (const name of ["play", "pause", "ended"]) preview.addEventListener(name, () => this.signs());
  }

  set(speakers) {
    if (speakers.join("\n") === this.speakers.join("\n")) return;
    this.speakers = [...speakers];
    this.show();
  }

  /** As POST v1/jobs takes them; who has none gets the model's own choice. */
  voices(speakers = this.speakers) {
    const known = new Set(library.all().map((voice) => voice.id));
    const given = speakers.filter((label) => known.has(this.chosen[label]));
    return Object.fromEntries(given.map((label) => [label, this.chosen[label]]));
  }

  show() {
    if (!this.speakers.length) {
      $("cast").replaceChildren(h("p", { class: "muted" }, say("cast_empty")));
      this.rows = [];
      return;
    }
    this.rows = this.speakers.map((label, n) => this.row(label, n));
    $("cast").replaceChildren(...this.rows.map((row) => row.element));
    this.signs();
  }

  row(label, n) {
    const id = `voice-of-${n}`;
    const select = h("select", { id, onchange: () => this.choose(label, select) },
      h("option", { value: "" }, say("voice_model")),
      group("voices_mine", library.all().filter((voice) => voice.own)),
      group("voices_shared", library.all().filter((voice) => !voice.own)));
    select.value = this.chosen[label] ?? "";
    if (select.selectedIndex < 0) select.value = "";
    const play = h("button", { type: "button", class: "round small", onclick: () => this.play(select.value) });
    const name = h("label", { for: id, class: `chip tone-${tone(n)}` }, h("bdi", {}, label));
    return { select, play, element: h("div", { class: "role" }, name, select, play) };
  }

  choose(label, select) {
    this.chosen[label] = select.value;
    preview.pause();
    this.signs();
    this.changed();
  }

  play(id) {
    if (!preview.paused && preview.dataset.id === id) return preview.pause();
    preview.dataset.id = id;
    preview.src = library.sound(id);
    preview.play().catch(() => this.signs());
  }

  signs() {
    for (const { select, play } of this.rows) {
      const on = !preview.paused && preview.dataset.id === select.value;
      play.disabled = !select.value;
      play.replaceChildren(sign(on ? "pause" : "play"));
      play.ariaLabel = say(on ? "pause" : "preview");
    }
  }
}

function group(words, voices) {
  if (!voices.length) return null;
  return h("optgroup", { label: say(words) },
    voices.map((voice) => h("option", { value: voice.id }, voice.own || !voice.user ? voice.name : `${voice.name} · ${voice.user}`)));
}
