// The desk: a script, its voices and settings, and the button. The draft outlives the page.

import { ask } from "./api.js";
import { Cast } from "./cast.js";
import { confirm } from "./dialog.js";
import { $, debounced, h, text } from "./dom.js";
import { Upload } from "./files.js";
import * as jobs from "./jobs.js";
import { Look } from "./look.js";
import { fault, onLanguage, say } from "./say.js";

const FORMATS = ["mp3", "wav", "flac", "opus", "aac"];
const EXAMPLES = ["podcast", "debate", "message"];
const GUIDANCE = 1.3;
const KEEP_MS = 400;

export class Desk {
  /** `facts` are the studio's, `draft` the name under which the browser keeps what is being written. */
  constructor(facts, draft, now) {
    Object.assign(this, { facts, draft, now });
    this.cast = new Cast(() => this.keep());
    this.look = new Look(facts.max_chars, (speakers) => this.cast.set(speakers));
    this.keep = debounced(() => this.save(), KEEP_MS);
    new Upload(facts.script_suffixes, {
      take: (script) => this.offer(script),
      submit: (scripts) => this.submit(scripts.map((one) => this.order(one, one.speakers))),
      failed: (error) => this.failed(error),
    });
    this.listen();
    onLanguage(() => this.words());
    this.restore();
  }

  listen() {
    const area = $("script-text");
    area.addEventListener("input", () => this.edited());
    for (const id of ["title", "format", "guidance", "seed", "one-take"]) {
      $(id).addEventListener("input", () => (this.guidance(), this.keep()));
    }
    $("seed").addEventListener("input", () => ($("seed").value = $("seed").value.replace(/\D/g, "")));
    $("generate").addEventListener("click", () => this.generate());
    $("view-write").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.generate();
    });
    $("clear").addEventListener("click", () => this.clear());
    $("examples").addEventListener("change", () => this.example());
    addEventListener("pagehide", () => this.save());
  }

  words() {
    const options = (names, key, chosen) => names.map((name) =>
      h("option", { value: name, selected: name === chosen }, say(`${key}_${name}`)));
    $("format").replaceChildren(...options(FORMATS, "format", $("format").value || this.format || "mp3"));
    const groups = ["en", "zh"].map((language) =>
      h("optgroup", { label: say(`examples_${language}`) }, EXAMPLES.map((name) =>
        h("option", { value: `${name}-${language}.txt` }, say(`example_${name}`)))));
    $("examples").replaceChildren(h("option", { value: "" }, say("examples")), ...groups);
    text($("steps"), this.facts.steps ? String(this.facts.steps) : say("steps_own"));
    const said = this.facts.disclaimer;
    $("disclaimer").hidden = !said;
    if (said) text($("disclaimer"), say("disclaimer", { said }));
    this.guidance();
  }

  guidance() {
    text($("guidance-value"), Number($("guidance").value).toFixed(2));
  }

  edited() {
    $("generate-error").hidden = true;
    this.look.changed();
    this.keep();
  }

  /** Put a script on the desk; asks if that would overwrite another. */
  async offer({ title, script, settings = {} }) {
    const written = $("script-text").value.trim();
    if (written && written !== script.trim() && written !== this.untouched) {
      if (!(await confirm(say("replace_title"), say("replace"), say("replace_go")))) return false;
    }
    this.put({ ...this.state(), ...settings, title, script });
    this.look.now();
    this.save();
    return true;
  }

  async example() {
    const name = $("examples").value;
    $("examples").value = "";
    if (!name) return;
    try {
      const script = (await (await ask(this.facts.files + name)).text()).trim();
      if (await this.offer({ title: "", script })) this.untouched = script;
    } catch (error) {
      this.failed(error);
    }
  }

  async clear() {
    if ($("script-text").value.trim() && !(await confirm(say("clear_title"), say("clear_text"), say("clear")))) return;
    this.put({ ...this.state(), title: "", script: "" });
    this.edited();
    $("script-text").focus();
  }

  /** A job of the history, to be written on. */
  async reuse(job) {
    const script = await jobs.script(job.id);
    const chosen = Object.fromEntries(job.speakers.map((label, n) => [label, job.voices?.[n] ?? ""]));
    const settings = { format: job.format, guidance: job.guidance ?? GUIDANCE, one_take: job.one_take, voices: chosen };
    return this.offer({ title: job.title, script, settings });
  }

  order({ title, script }, speakers) {
    const { format, guidance, seed, one_take } = this.state();
    return {
      input: script,
      title: title.replace(/\s+/g, " ").trim(),
      voices: this.cast.voices(speakers),
      ...(seed !== "" && { seed: Number(seed) }),
      guidance: Number(guidance),
      one_take,
      response_format: format,
    };
  }

  async generate() {
    if (this.busy) return;
    const { title, script } = this.state();
    if (!script.trim()) {
      this.failed({ code: "nothing_written" });
      return $("script-text").focus();
    }
    // The speakers as they are now, not as of the last pause in typing.
    await this.look.now();
    if (this.look.problem?.status === 400) return $("script-error").scrollIntoView({ block: "nearest" });
    await this.submit([this.order({ title, script }, this.look.speakers)]);
  }

  async submit(orders) {
    this.busy = true;
    $("generate").disabled = true;
    $("generate-error").hidden = true;
    try {
      const made = await this.again(orders, this.key(orders));
      this.sent = null;
      this.now.add(made.map((job) => job.id));
    } catch (error) {
      this.failed(error);
    }
    $("generate").disabled = false;
    this.busy = false;
  }

  /** A name for what is sent, the same until it was taken: however often it is sent, it counts once. */
  key(orders) {
    const same = JSON.stringify(orders);
    if (this.sent?.same !== same) this.sent = { same, key: random() };
    return this.sent.key;
  }

  /** Send it once more if the answer was lost on the way; the key sees to it that it counts once. */
  async again(orders, name) {
    try {
      return await jobs.submit(orders, name);
    } catch (error) {
      if (error.status !== 0 && error.status < 502) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return jobs.submit(orders, name);
    }
  }

  failed(error) {
    text($("generate-error"), fault(error));
    $("generate-error").hidden = false;
  }

  state() {
    return {
      title: $("title").value,
      script: $("script-text").value,
      format: $("format").value || this.format,
      guidance: $("guidance").value,
      seed: $("seed").value,
      one_take: $("one-take").checked,
      voices: this.cast.chosen,
    };
  }

  put({ title = "", script = "", format = "mp3", guidance = GUIDANCE, seed = "", one_take = false, voices = {} }) {
    $("title").value = title;
    $("script-text").value = script;
    this.format = $("format").value = format;
    $("guidance").value = guidance;
    $("seed").value = seed;
    $("one-take").checked = one_take;
    this.cast.chosen = { ...voices };
    this.cast.show();
    this.guidance();
  }

  save() {
    try {
      localStorage.setItem(this.draft, JSON.stringify(this.state()));
    } catch {
      // A browser that keeps nothing: the page works without.
    }
  }

  restore() {
    let kept = {};
    try {
      kept = JSON.parse(localStorage.getItem(this.draft) ?? "{}");
    } catch {
      // As above, or somebody else's words under our name.
    }
    this.put(kept);
    this.look.now();
  }
}

const random = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
