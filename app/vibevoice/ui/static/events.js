// The API's event stream, read by fetch: unlike EventSource it says why it ended (a login, a limit), and it
// notices a connection that died while the laptop slept, because heartbeats stay away.

import { ask } from "./api.js";

const SILENCE_MS = 20_000;
const LONGEST_WAIT_MS = 15_000;
const POLL_MS = 5_000;
const FULL_MS = 60_000;

/**
 * Follow an event stream for as long as the page is in sight.
 *
 * `on.event(name, data)` for each event; `on.start()` whenever events may have been missed: read everything
 * anew; `on.state(state)`: "live", "polling" (no stream to be had: `on.start` comes by the clock), "lost".
 */
export function follow(path, on) {
  let last = "", tries = 0, stop = null;

  async function run(signal) {
    while (!signal.aborted) {
      let wait = 0;
      try {
        await stream(signal);
      } catch (fault) {
        if (signal.aborted) return;
        if (fault.status === 429) {
          on.state("polling");
          await poll(signal, Math.max(FULL_MS, fault.retryAfter * 1000));
          continue;
        }
        wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** tries) * (0.75 + Math.random() / 2);
        tries += 1;
        // A studio that is exchanged for another is not there for a moment.
        if (fault.status !== 401 && tries > 1) on.state("lost");
      }
      await sleep(Math.max(wait, 300), signal);
    }
  }

  async function stream(signal) {
    const connection = new AbortController();
    const shut = () => connection.abort();
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(shut, SILENCE_MS);
    };
    signal.addEventListener("abort", shut);
    try {
      alive();
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const response = await ask(path, { headers, signal: connection.signal });
      tries = 0;
      on.state("live");
      on.start();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        alive();
        const blocks = (rest + value).replace(/\r\n?/g, "\n").split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) told(block);
      }
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", shut);
      shut();
    }
  }

  function told(block) {
    let name = "message", data = "";
    for (const line of block.split("\n")) {
      const [, field, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
      if (field === "id") last = value;
      if (field === "event") name = value;
      if (field === "data") data += (data && "\n") + value;
    }
    if (data) on.event(name, JSON.parse(data));
  }

  async function poll(signal, most) {
    for (const end = Date.now() + most; Date.now() < end && !signal.aborted; ) {
      on.start();
      await sleep(POLL_MS, signal);
    }
  }

  const begin = () => {
    if (stop || document.hidden) return;
    stop = new AbortController();
    run(stop.signal);
  };
  const end = () => {
    stop?.abort();
    stop = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : begin()));
  addEventListener("pagehide", end);
  addEventListener("pageshow", begin);
  addEventListener("online", () => (end(), begin()));
  begin();
}

function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
