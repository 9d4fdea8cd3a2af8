// Elements from words and data. Text is only ever put in as text: titles and scripts may be anybody's HTML.

export const $ = (id) => document.getElementById(id);

/** An element. Properties: class, dataset, on… for listeners, booleans, anything else is an attribute. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

const PATHS = {
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M7.5 5h3v14h-3zM13.5 5h3v14h-3z",
  stop: "M7 7h10v10H7z",
};

/** One of the few signs, filled with the text's colour. */
export function sign(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Set a text only if it differs, so that nothing is read out or selected away for nothing. */
export function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Call a function once nothing has asked for it during some milliseconds. */
export function debounced(call, wait) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(call, wait, ...given);
  };
}

/** The number of a speaker's colour, from 1 to 4. */
export const tone = (n) => (n % 4) + 1;

/** A speaker's name on their colour. */
export const chip = (name, n) =>
  h("li", { class: `chip tone-${tone(n)}` }, h("bdi", {}, name));

/** Save what is behind an address, under the name that the server gives it. */
export function save(address) {
  const link = h("a", { href: address, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
}

/** The site's wave, with bars of given heights (0 to 1). */
export function wave(heights) {
  return heights.map((height) => {
    const bar = h("i");
    bar.style.height = `${Math.round(8 + 92 * height)}%`;
    return bar;
  });
}

export const WAVE = [8, 16, 30, 22, 44, 62, 38, 24, 52, 74, 58, 30, 18, 40, 66, 48, 26, 56, 70, 44, 22, 34,
  50, 28, 14, 24, 36, 20, 12, 18, 8].map((height) => height / 74);
