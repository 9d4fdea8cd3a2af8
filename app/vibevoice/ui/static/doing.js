// What the studio is doing for a job, in words.

import { final, segments, studio } from "./jobs.js";
import { clock, count, fault, length, say } from "./say.js";

const REASONS = ["disk_full", "gpu_released", "yielded"];
const LOADING = ["loading", "restarting", "asleep"];

/** A line on where a job stands; empty if there is nothing to say. */
export function doing(job) {
  if ((job.stopping || job.cancelling) && !final(job)) return say("doing_stopping");
  const told = { queued, running, done, failed, cancelled }[job.state];
  return told ? told(job) : "";
}

function queued(job) {
  const known = REASONS.includes(job.reason);
  if (job.reason === "disk_full") return say("doing_disk_full");
  // Another studio of the project may be awake: then nobody waits for this one.
  const asleep = LOADING.includes(studio.engine) && (job.position ?? 1) === 1;
  if (asleep) return say(studio.engine === "restarting" ? "doing_restarting" : "doing_loading");
  const place = job.position > 1 ? say("doing_position", { n: count(job.position) }) : say("doing_next");
  if (known) return `${say(`doing_${job.reason}`)} ${place}${eta(job)}`;
  if (job.progress.audio_s > 0 && !job.audible) return `${say("doing_taken_over")} ${place}`;
  return place + eta(job);
}

function running(job) {
  const all = segments(job);
  const at = all.find((one) => one.state === "running") ?? all.find((one) => one.state === "waiting");
  const { audio_s: so_far, total_s: total } = job.progress;
  const which = { n: (at?.n ?? all.length - 1) + 1, m: all.length };
  if (job.audible) return at ? say("doing_again", which) + eta(job) : say("doing_begins");
  if (!so_far) return say("doing_begins");
  const spoken = { at: clock(so_far), total: length(Math.max(total ?? 0, so_far)) };
  return (all.length > 1 ? say("doing_segment", { ...which, ...spoken }) : say("doing_speaks", spoken)) + eta(job);
}

function done(job) {
  const cut = job.capped?.map((n) => n + 1) ?? segments(job).filter((one) => one.capped).map((one) => one.n + 1);
  return cut.length ? say("doing_capped", { n: cut.join(", ") }) : "";
}

const failed = (job) => fault({ message: job.error?.message, code: job.error?.type });

function cancelled(job) {
  return job.progress.audio_s ? say("doing_cancelled_at", { at: clock(job.progress.audio_s) }) : say("doing_cancelled");
}

const eta = (job) => (job.progress.eta_s == null ? "" : say("doing_eta", { time: length(job.progress.eta_s) }));

/** Seconds of a job's sound: what there is, or what is expected. */
export const seconds = (job) => (job.audible ? job.progress.audio_s : Math.max(job.progress.total_s ?? 0, job.progress.audio_s));

/** The state as the badge names it. */
export const state = (job) => (job.state === "queued" && job.reason === "disk_full" ? "paused" : job.state);
