// What a script will be, asked while it is being written: who speaks, how long it gets, what is wrong.

import { send } from "./api.js";
import { $, chip, debounced, text } from "./dom.js";
import { count, fault, length, onLanguage, say } from "./say.js";
import { draw } from "./strip.js";

const WAIT_MS = 350;
const DRAWN_MS = 80;

export class Look {
  /** `found(speakers)` is called with each answer; `most` characters are taken. */
  constructor(most, found) {
    Object.assign(this, { most, found, speakers: [], told: null, problem: null, number: 0 });
    this.ask = debounced(() => this.now(), WAIT_MS);
    this.draw = debounced(() => draw($("strip"), this.script, this.speakers), DRAWN_MS);
    $("to-error").addEventListener("click", () => this.toError());
    onLanguage(() => this.show());
  }

  get script() {
    return $("script-text").value;
  }

  changed() {
    this.draw();
    this.show();
    this.ask();
  }

  /** Ask at once. An answer to an older text is dropped. */
  async now() {
    const number = ++this.number, script = this.script;
    let told = null, problem = null;
    if (script.trim()) {
      try {
        told = await send("POST", "v1/scripts", { input: script });
      } catch (error) {
        problem = error;
      }
    }
    if (number !== this.number) return;
    Object.assign(this, { told, problem });
    // While a line is wrong, the voices chosen so far stay where they are.
    if (told || !script.trim()) this.speakers = told?.speakers ?? [];
    this.found(this.speakers);
    this.show();
    draw($("strip"), script, this.speakers);
  }

  show() {
    const wrong = this.problem?.status === 400 || this.problem?.status === 413;
    $("script-error").hidden = !wrong;
    if (wrong) text($("script-error").firstChild, fault(this.problem));
    $("to-error").hidden = !this.problem?.line;
    $("script-text").ariaInvalid = String(wrong);
    $("speakers").replaceChildren(...this.speakers.map(chip));
    const characters = say("characters", { n: count(this.script.length), most: count(this.most) });
    const parts = [characters];
    if (this.told) {
      parts.unshift(say("estimate", { time: length(this.told.seconds) }));
      if (this.told.segments > 1) parts.splice(1, 0, say("estimate_segments", { n: this.told.segments }));
    }
    text($("estimate"), parts.join(" · "));
    $("estimate").classList.toggle("over", this.script.length > this.most);
  }

  /** Put the cursor where the script is wrong. */
  toError() {
    const { line, column } = this.problem;
    const lines = this.script.split(/\r?\n/);
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    // Columns count characters, JavaScript their halves.
    const before = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
    const area = $("script-text");
    area.focus();
    area.setSelectionRange(start + before, start + (lines[line - 1] ?? "").length);
    area.scrollTop = (area.scrollHeight / Math.max(1, lines.length)) * (line - 3);
  }
}
