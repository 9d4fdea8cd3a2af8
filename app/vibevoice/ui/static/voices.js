// The library of voices: listen, add from a file or the microphone, share, delete.

import { confirm } from "./dialog.js";
import { $, h, text, WAVE, wave } from "./dom.js";
import * as library from "./library.js";
import { Player } from "./player.js";
import { possible, Recording } from "./record.js";
import { clock, fault, moment, onLanguage, say } from "./say.js";

const LARGEST = 25 * 2 ** 20;

export class Voices {
  constructor(facts) {
    this.facts = facts;
    this.clip = null;
    this.recording = null;
    this.listener = new Player(() => say("voice_clip"));
    this.problem = null;
    $("voice-choose").addEventListener("click", () => $("voice-file").click());
    $("voice-file").addEventListener("change", () => this.choose());
    $("voice-record").addEventListener("click", () => this.record());
    $("voice-record").hidden = !possible();
    $("new-voice").addEventListener("submit", (event) => (event.preventDefault(), this.save()));
    library.onVoices(() => this.show());
    onLanguage(() => (this.words(), this.show()));
  }

  words() {
    text($("voice-record"), say(this.recording ? "voice_record_stop" : "voice_record"));
    // Everybody sees everything there: nothing to choose.
    $("share-row").hidden = this.facts.shared;
    this.fault(this.problem);
  }

  show() {
    const voices = library.all();
    $("voices-empty").hidden = voices.length > 0;
    $("voices").replaceChildren(...voices.map((voice) => this.card(voice)));
  }

  card(voice) {
    const player = new Player(() => voice.name);
    player.set(library.sound(voice.id), { known: voice.seconds });
    const remove = h("button", { type: "button", class: "small quiet bad", onclick: () => this.remove(voice) }, say("delete"));
    remove.ariaLabel = say("delete_one", { name: voice.name });
    const whose = !voice.own ? say("voice_of", { user: voice.user }) : say(voice.shared ? "voice_is_shared" : "voice_is_mine");
    return h("li", { class: "card voice" },
      h("div", { class: "job-head" }, h("h3", {}, h("bdi", {}, voice.name)), h("span", { class: "tag" }, whose)),
      h("p", { class: "meta" }, h("span", {}, clock(voice.seconds)), moment(voice.created_at)),
      player.element, voice.own ? h("div", { class: "actions" }, remove) : null);
  }

  async remove(voice) {
    if (!(await confirm(say("delete_title"), say("delete_voice", { name: voice.name }), say("delete")))) return;
    await library.remove(voice.id).catch((error) => this.fault(error));
  }

  choose() {
    const [file] = $("voice-file").files;
    $("voice-file").value = "";
    if (!file) return;
    if (file.size > LARGEST) return this.fault({ code: "voice_file_large" });
    this.take(file, file.name);
    if (!$("voice-name").value) $("voice-name").value = file.name.replace(/\.[^.]+$/, "").slice(0, 60);
  }

  take(clip, name) {
    this.fault(null);
    URL.revokeObjectURL(this.heard);
    this.heard = URL.createObjectURL(clip);
    this.clip = { clip, file: name };
    this.listener.stop();
    this.listener.set(this.heard);
    $("clip").replaceChildren(h("bdi", { class: "muted" }, name), this.listener.element);
  }

  async record() {
    if (this.recording) return this.recording.stop();
    this.fault(null);
    try {
      this.recording = await Recording.start({
        tick: (seconds, level) => {
          text($("recording-time"), say("recording", { time: clock(seconds) }));
          $("recording").querySelector("i").style.width = `${level * 100}%`;
        },
        done: (blob, name) => {
          this.recording = null;
          $("recording").hidden = true;
          this.words();
          this.take(blob, name);
        },
      });
      $("recording").hidden = false;
      $("clip").replaceChildren();
      this.words();
    } catch (error) {
      this.fault({ code: error.name === "NotAllowedError" ? "microphone_denied" : "microphone_missing" });
    }
  }

  async save() {
    // It becomes part of addresses.
    const name = $("voice-name").value.replace(/[\s/\\]+/g, " ").trim();
    if (!name) return this.missing("voice_name_missing", "voice-name");
    if (!this.clip) return this.missing("voice_clip_missing", "voice-choose");
    if (!$("consent").checked) return this.missing("voice_consent_missing", "consent");
    $("voice-save").disabled = true;
    this.fault(null);
    try {
      await library.add({ ...this.clip, name, consent: say("voice_consent"), shared: $("share").checked });
      this.reset();
    } catch (error) {
      this.fault(error);
    }
    $("voice-save").disabled = false;
  }

  missing(code, field) {
    this.fault({ code });
    $(field).focus();
  }

  reset() {
    $("new-voice").reset();
    this.listener.stop();
    this.clip = null;
    $("clip").replaceChildren();
  }

  fault(error) {
    this.problem = error;
    $("voice-error").hidden = !error;
    if (error) text($("voice-error"), fault(error));
  }
}

export const ornaments = () => {
  for (const one of document.querySelectorAll(".wave")) one.replaceChildren(...wave(WAVE));
};
