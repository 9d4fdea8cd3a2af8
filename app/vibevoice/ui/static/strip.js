// The script as a wave: who speaks when, in the speakers' colours. For the eye alone.

import { h, tone, WAVE } from "./dom.js";

const BARS = 72;

/** Draw a script with these speakers into an element. */
export function draw(element, script, speakers) {
  const bars = [...speaking(script, speakers)];
  if (element.children.length !== bars.length) element.replaceChildren(...bars.map(() => h("i")));
  bars.forEach(({ who, height }, n) => {
    const bar = element.children[n];
    bar.className = who < 0 ? "" : `tone-${tone(who)}`;
    bar.style.height = `${Math.round(height * 100)}%`;
  });
}

/** For each bar who speaks there (-1: nobody), and its height. */
function* speaking(script, speakers) {
  const names = speakers.map(plain);
  const lengths = [];
  let who = speakers.length ? 0 : -1, whole = 0;
  for (const line of script.split("\n")) {
    const found = label(line, names);
    if (found >= 0) who = found;
    if (!line.trim()) continue;
    lengths.push({ who, end: (whole += line.length) });
  }
  let turn = 0;
  for (let n = 0; n < BARS; n += 1) {
    const at = ((n + 0.5) / BARS) * whole;
    while (turn < lengths.length - 1 && lengths[turn].end < at) turn += 1;
    const shape = WAVE[(n * 7) % WAVE.length] * 0.75 + WAVE[n % WAVE.length] * 0.25;
    yield whole ? { who: lengths[turn].who, height: 0.16 + 0.84 * shape } : { who: -1, height: 0.1 };
  }
}

function label(line, names) {
  const head = line.slice(0, 120).replace(/^[\s>#•●▪◦*_-]*(?:\[?\d{1,2}(?::\d\d)+\]?)?[\s*_-]*/, "");
  const end = head.search(/[:：\]]/);
  if (end < 0) return -1;
  const name = plain(head.slice(0, end).replace(/^\[/, "").replace(/[（(].*$/, ""));
  return names.findIndex((one) => one === name || one === `speaker ${name}`);
}

const plain = (name) => name.normalize("NFKC").toLowerCase().replace(/[\s*_[\]]+/g, " ").trim();
