// The voices that the visitor may use: their own, and what others share.

import { ask, get, send } from "./api.js";

let voices = [];
const listeners = new Set();

export const all = () => voices;

/** Call a function each time that the list has changed. */
export const onVoices = (call) => listeners.add(call);

export async function read() {
  voices = (await get("v1/audio/voices")).data;
  for (const call of listeners) call();
}

/** `clip` is a file or a recording. */
export async function add({ name, clip, file, consent, shared }) {
  const form = new FormData();
  form.set("audio_sample", clip, file);
  form.set("name", name);
  form.set("consent", consent);
  form.set("shared", String(shared));
  const voice = await (await ask("v1/audio/voices", { method: "POST", body: form })).json();
  await read();
  return voice;
}

export async function remove(id) {
  await send("DELETE", `v1/audio/voices/${encodeURIComponent(id)}`);
  await read();
}

export const sound = (id) => `v1/audio/voices/${encodeURIComponent(id)}/audio`;
