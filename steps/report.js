// The report's script, first part: texts, elements, colours. All parts are one script, see SCRIPTS in report.py.
// Every text from the data goes in as a text node, or through plotText() into Plotly, which reads some markup.
// Words for people are whole sentences given to say(), so that a language is one mapping from sentence to sentence.
"use strict";

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const texts = read("texts");
const say = (sentence, values = {}) =>
  (Object.hasOwn(texts, sentence) ? texts[sentence] : sentence).replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));

const element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};
const known = (value) => value !== null && value !== undefined;
const formats = [{ maximumSignificantDigits: 4 }, { maximumFractionDigits: 0 }].map((how) => new Intl.NumberFormat("en", how));
const figure = (value) => (known(value) ? formats[Math.abs(value) >= 1000 ? 1 : 0].format(value) : "–");
const percent = (value) => (known(value) ? `${figure(100 * value)}%` : "–");
const least = (values) => values.reduce((a, b) => Math.min(a, b));
const most = (values) => values.reduce((a, b) => Math.max(a, b));
const sum = (values) => values.reduce((a, b) => a + b, 0);
const shorten = (text, length) => ([...text].length > length ? [...text].slice(0, length - 1).join("") + "…" : text);
const plotText = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
// A name among others: isolated, so that one that turns the writing direction turns itself only.
const isolated = (text) => `\u2068${text}\u2069`;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const table = (title, heads, lines, note = "") => element("section", { class: "card" }, element("h3", {}, title),
  note ? element("p", { class: "note" }, note) : null, bareTable(title, heads, lines));
const bareTable = (title, heads, lines) => element("div", { class: "scroll", role: "region", "aria-label": title, tabindex: "0" },
  element("table", { class: "plain" },
    element("thead", {}, element("tr", {}, ...heads.map((head, at) => element("th", { scope: "col", class: at ? "number" : "" }, head)))),
    element("tbody", {}, ...lines.map((line) => element("tr", {}, ...line.map((cell, at) => {
      const inner = typeof cell === "string" ? element("bdi", {}, cell) : cell;
      return at ? element("td", { class: "number" }, inner) : element("th", { scope: "row" }, inner);
    }))))));
