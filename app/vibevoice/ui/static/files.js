// Scripts from files: one goes onto the desk, several become a batch.

import { ask, send } from "./api.js";
import * as dialog from "./dialog.js";
import { $, chip, h, text } from "./dom.js";
import { fault, length, say } from "./say.js";

const MOST = 100;

/** What is in a file: {title, script}. Raises Fault. */
async function read(file) {
  const answer = await ask(`page/scripts?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
  const { script } = await answer.json();
  return { title: file.name.replace(/\.[^.]+$/, "").slice(0, 200), script };
}

export class Upload {
  /** `take({title, script})` for one; `submit(scripts)` for several, each with its speakers. */
  constructor(suffixes, { take, submit, failed }) {
    Object.assign(this, { take, submit, failed });
    const input = $("upload-files");
    input.accept = suffixes.join(",");
    $("upload").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.files([...input.files]);
      input.value = "";
    });
    this.drops($("paper"));
  }

  drops(area) {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    area.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      area.classList.add("dropping");
    });
    area.addEventListener("dragleave", (event) => {
      if (!area.contains(event.relatedTarget)) area.classList.remove("dropping");
    });
    area.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      area.classList.remove("dropping");
      this.files([...event.dataTransfer.files]);
    });
  }

  async files(files) {
    if (!files.length) return;
    try {
      if (files.length === 1) this.take(await read(files[0]));
      else await this.batch(files.slice(0, MOST));
    } catch (error) {
      this.failed(error);
    }
  }

  /** Look at each, and show what would be made before it is. */
  async batch(files) {
    const rows = files.map((file) => new Row(file));
    const list = h("ol", { class: "batch" }, rows.map((row) => row.element));
    const help = h("p", { class: "muted" }, say("batch_help"));
    const answer = dialog.open(say("batch_title", { n: files.length }), [help, list],
      [{ value: "yes", words: say("batch_go"), kind: "primary" }, { value: "", words: say("cancel"), kind: "second" }]);
    const go = $("dialog-actions").firstChild;
    go.disabled = true;
    for (const row of rows) await row.look();
    const good = rows.filter((row) => row.told);
    text(go, say("batch_go_n", { n: good.length }));
    go.disabled = !good.length;
    if ((await answer) === "yes") await this.submit(good.map((row) => ({ ...row.script, speakers: row.told.speakers })));
  }
}

class Row {
  constructor(file) {
    this.file = file;
    this.words = h("span", { class: "muted" }, say("batch_reading"));
    this.chips = h("ul", { class: "chips" });
    this.element = h("li", {}, h("bdi", {}, file.name), this.chips, this.words);
  }

  async look() {
    try {
      this.script = await read(this.file);
      this.told = await send("POST", "v1/scripts", { input: this.script.script });
      this.chips.replaceChildren(...this.told.speakers.map(chip));
      text(this.words, say("estimate", { time: length(this.told.seconds) }));
    } catch (error) {
      text(this.words, fault(error));
      this.words.className = "wrong";
    }
  }
}
