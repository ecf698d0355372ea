// The basis of the other scripts. Text from a run is only ever inserted as text, never as markup.
const report = JSON.parse(document.getElementById("data").textContent);

const find = (id) => document.getElementById(id);

/** An element with attributes, and children that are elements or text. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A definition list's entries, from pairs of term and value. */
const define = (entries) => entries.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))));

const onClick = (id, act) => find(id).addEventListener("click", act);

/** The colours of the style sheet in the current color scheme, as far as they have been looked up. */
const palette = new Map();
function colour(name) {
  if (!palette.has(name)) palette.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return palette.get(name);
}
const SERIES = 8;
const seriesColour = (index) => (index < SERIES ? colour(`c${index}`) : colour("soft"));

const grouped = (number) => number.toLocaleString("en-US", { maximumFractionDigits: 3 });
const seconds = (us) => `${(us / 1e6).toFixed(3)} s`;
const span = (us) => (us < 1000 ? `${us} µs` : us < 1e6 ? `${grouped(us / 1000)} ms` : `${grouped(us / 1e6)} s`);
const plural = (count, word) => `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;

/** The index of the first element that is not below `wanted`. */
function lowerBound(sorted, wanted) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Shows a tooltip near the pointer; an empty text hides it. */
function tip(event, text) {
  const box = find("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const left = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
  const above = event.clientY + 18 + box.offsetHeight > innerHeight;
  box.style.left = `${Math.max(left, 4)}px`;
  box.style.top = `${above ? event.clientY - box.offsetHeight - 10 : event.clientY + 18}px`;
}

/** Shows a tooltip with the text of `tell` for the position of the pointer. */
const tellUnderPointer = (canvas, tell) => canvas.addEventListener("pointermove", (event) => tip(event, tell(event)));

const FONT = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif';

function segment(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

/** Adds a polygon with these corners to the path. */
function polygon(context, [first, ...others]) {
  context.moveTo(...first);
  for (const corner of others) context.lineTo(...corner);
}

/** Fills a rectangle with a translucent colour of the style sheet. */
function shade(context, paint, alpha, ...rectangle) {
  context.fillStyle = colour(paint);
  context.globalAlpha = alpha;
  context.fillRect(...rectangle);
  context.globalAlpha = 1;
}

/** Writes text that reads upwards. */
function fillUpright(context, text, x, y, room) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  context.fillText(text, 0, 0, room);
  context.restore();
}

/** The canvas of the chart that is being saved, and the context that records its drawing. */
let recording = null;

/** Sets the resolution of a canvas to that of the screen; returns its context, in CSS pixels. */
function prepare(canvas, height, width = canvas.clientWidth) {
  if (recording?.canvas === canvas) return recording.context.begin(width, height);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${FONT}`;
  return context;
}

/** The functions that draw, called again when the window or its colours change. */
const redraws = [];
function onRedraw(draw) {
  redraws.push(draw);
  draw();
}
function redrawNow() {
  palette.clear();
  for (const draw of redraws) draw();
}
let redrawing = false;
function redrawAll() {
  if (redrawing) return;
  redrawing = true;
  requestAnimationFrame(() => {
    redrawing = false;
    redrawNow();
  });
}
addEventListener("resize", redrawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
