// Small help with the document, and how numbers are written.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

/** A whole number with thin spaces between the thousands. */
export const count = (value) => (missing(value) ? "–" : Math.round(value).toLocaleString("en").replaceAll(",", "\u202f"));

/** Three significant digits, never an exponent. */
export function figure(value, digits = 3) {
  if (missing(value)) return "–";
  if (value === 0) return "0";
  const decimals = Math.min(6, Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toFixed(decimals);
}

export const hertz = (value) => (missing(value) ? "–" : `${value.toFixed(value < 100 ? 2 : 1)} Hz`);

export const milliseconds = (value) => (missing(value) ? "–" : `${value < 10 ? value.toFixed(1) : count(value)} ms`);

export const seconds = (value) => (missing(value) ? "–" : `${value.toFixed(value < 100 ? 4 : 2)} s`);

/** Fill a table's body; cells are texts or [text, class]. */
export function fill(table, rows) {
  table.tBodies[0].replaceChildren(...rows.map((cells) => element("tr", {}, cells.map((cell) => {
    const [text, className] = Array.isArray(cell) ? cell : [cell, ""];
    return element("td", { textContent: text, className });
  }))));
}

/** Set a text only where it differs: what stands in a live region is not read out again and again. */
export function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
