// The visitor's jobs as far as the page has them, kept as they are in the store by its events.

import { ask, get, job as path, send } from "./api.js";
import { debounced } from "./dom.js";
import { follow } from "./events.js";

export const PAGE = 25;
export const FINAL = ["done", "failed", "cancelled"];
export const final = (job) => FINAL.includes(job.state);

const jobs = new Map();
const listeners = new Set();
const unfinished = new Set();
/** What health says of this studio; its engine may be loading or asleep. */
export const studio = { engine: "" };

export const find = (id) => jobs.get(id);

/** Call a function with the id of each job that is new or another, and with "" when the studio is. */
export const onChange = (call) => listeners.add(call);

const tell = (id) => listeners.forEach((call) => call(id));

/** Take a job's state from the API; says whether it is new here. Lists and progress leave the segments out. */
export function keep(job) {
  const known = jobs.get(job.id);
  const stale = known && !job.segments && (job.state ?? known.state) !== known.state;
  jobs.set(job.id, { ...known, ...(stale && { segments: undefined }), ...job });
  if (final(job)) unfinished.delete(job.id);
  else unfinished.add(job.id);
  if (!known && job.state === "queued") lookSoon();
  tell(job.id);
  return !known;
}

export const segments = (job) => job.segments ?? [];

const asked = new Set();

/** See to it that a job's segments are here; they come as a change. */
export async function details(id) {
  if (jobs.get(id)?.segments || asked.has(id)) return;
  asked.add(id);
  await get(path(id)).then(keep, () => {});
  asked.delete(id);
}

function drop(id) {
  jobs.delete(id);
  unfinished.delete(id);
  tell(id);
}

/** A page of the history, newest first: {data, has_more, next_before}. */
export async function list({ search = "", states = [], before = "", limit = PAGE } = {}) {
  const query = new URLSearchParams({ limit });
  if (search) query.set("search", search);
  for (const state of states) query.append("state", state);
  if (before) query.set("before", before);
  const page = await get(`v1/jobs?${query}`);
  page.data.forEach(keep);
  return page;
}

export async function submit(orders, key) {
  const body = orders.length === 1 ? orders[0] : { batch: orders };
  const made = await send("POST", "v1/jobs", body, { "Idempotency-Key": key });
  const all = made.data ?? [made];
  all.forEach(keep);
  return all;
}

export const script = async (id) => (await ask(path(id, "/script"))).text();
export const cancel = async (id) => keep(await send("POST", path(id, "/cancel")));
export const retry = async (id) => keep(await send("POST", path(id, "/retry")));
export const rename = async (id, title) => keep(await send("PATCH", path(id), { title }));
export const regenerate = async (id, n) => keep(await send("POST", path(id, `/segments/${n}/regenerate`), {}));
export const remove = async (id) => {
  await send("DELETE", path(id));
  drop(id);
};

/** The ids of all that have not ended, the newest first. */
export const busy = () => [...unfinished].sort((one, other) => jobs.get(other).created_at - jobs.get(one).created_at);

/** Forget what is missing in the newest page: it was deleted, on another screen or by its age. */
function gone({ data, has_more }) {
  const there = new Set(data.map((job) => job.id));
  const from = has_more ? data.at(-1).created_at : 0;
  for (const job of [...jobs.values()]) if (job.created_at > from && !there.has(job.id)) drop(job.id);
}

async function refresh() {
  const before = busy();
  gone(await list());
  const going = new Set((await list({ states: ["queued", "running"], limit: 100 })).data.map((job) => job.id));
  // What has ended or gone meanwhile, and is not among the newest.
  for (const id of before) {
    if (!unfinished.has(id) || going.has(id)) continue;
    try {
      keep(await get(path(id)));
    } catch (fault) {
      if (fault.status === 404) drop(id);
      else throw fault;
    }
  }
}

/** Follow the store; `onState` as events.follow says. */
export function watch(onState) {
  let reading = false;
  const read = async () => {
    if (reading) return;
    reading = true;
    await refresh().catch(() => {});
    reading = false;
    tell("list");
  };
  follow("v1/jobs/events", {
    start: read,
    state: onState,
    event(name, data) {
      if (name === "deleted") drop(data.id);
      else if (name === "progress") news(data);
      else if (data.id) keep(data);
    },
  });
  setInterval(look, 4000);
  look();
}

function news(data) {
  if (jobs.has(data.id)) keep(data);
  // Submitted on another screen, or by somebody else; perhaps with many more.
  else fetchNew();
}

const fetchNew = debounced(() => list({ states: ["queued", "running"], limit: 100 }).catch(() => {}), 200);

const lookSoon = debounced(() => look(), 100);

/** How the engine is, while somebody waits for it. */
async function look() {
  const waiting = [...unfinished].some((id) => jobs.get(id).state === "queued");
  if (document.hidden || (studio.engine && !waiting)) return;
  try {
    // Not ready is an answer, too.
    const answer = await (await fetch("health/ready", { cache: "no-store", redirect: "manual" })).json();
    if (answer.engine !== studio.engine) {
      studio.engine = answer.engine ?? "";
      tell("");
    }
  } catch {
    // The event stream says so if nobody answers.
  }
}
