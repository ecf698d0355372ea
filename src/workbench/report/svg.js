// "Save as SVG": a chart is drawn once more, on a context that records the calls as SVG elements.

const SVG = "http://www.w3.org/2000/svg";

/** What `save` keeps and `restore` brings back. */
const STATE = ["parent", "transforms", "fillStyle", "strokeStyle", "lineWidth", "globalAlpha", "textAlign", "textBaseline", "dashes"];

const short = (number) => String(Math.round(number * 100) / 100);

/** The part of CanvasRenderingContext2D that the charts use; a real one measures texts. */
class SvgContext {
  constructor(real) {
    this.real = real;
  }

  begin(width, height) {
    const root = document.createElementNS(SVG, "svg");
    Object.assign(this, { width, height, root, parent: root, saved: [], clips: 0, transforms: [], steps: "",
      fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, lineJoin: "miter", globalAlpha: 1,
      textAlign: "start", textBaseline: "alphabetic", dashes: "" });
    return this;
  }

  element(tag, attributes, parent = this.parent) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== "") element.setAttribute(name, value);
    parent.append(element);
    return element;
  }

  paint(tag, attributes, filled) {
    const { real, lineWidth, lineJoin, dashes } = this;
    // A real context normalizes colours to #rrggbb, or to rgba() with transparency, which SVG needs as two attributes.
    real.fillStyle = filled ? this.fillStyle : this.strokeStyle;
    const [, rgb, transparency] = /^rgba\((.*), ([^,]+)\)$/.exec(real.fillStyle) ?? [];
    const paint = rgb ? `rgb(${rgb})` : real.fillStyle;
    const alpha = this.globalAlpha * (transparency ?? 1);
    const style = filled
      ? { fill: paint }
      : { fill: "none", stroke: paint, "stroke-width": lineWidth, "stroke-dasharray": dashes,
          "stroke-linejoin": lineJoin === "miter" ? "" : lineJoin };
    const opacity = alpha < 1 ? short(alpha) : "";
    return this.element(tag, { ...attributes, ...style, opacity, transform: this.transforms.join(" ") });
  }

  rectangle(x, y, width, height) {
    const [left, top] = [Math.min(x, x + width), Math.min(y, y + height)];
    return { x: short(left), y: short(top), width: short(Math.abs(width)), height: short(Math.abs(height)) };
  }

  fillRect(...place) { this.paint("rect", this.rectangle(...place), true); }
  strokeRect(...place) { this.paint("rect", this.rectangle(...place), false); }
  beginPath() { this.steps = ""; }
  moveTo(x, y) { this.steps += `M${short(x)} ${short(y)}`; }
  lineTo(x, y) { this.steps += `${this.steps ? "L" : "M"}${short(x)} ${short(y)}`; }
  rect(x, y, width, height) { this.steps += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}z`; }
  /** A full circle, the only arc that charts draw. */
  arc(x, y, r) { this.steps += `M${short(x - r)} ${short(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`; }
  fill() { this.paint("path", { d: this.steps }, true); }
  stroke() { this.paint("path", { d: this.steps }, false); }
  setLineDash(dashes) { this.dashes = dashes.join(" "); }
  translate(x, y) { this.transforms = [...this.transforms, `translate(${short(x)} ${short(y)})`]; }
  rotate(angle) { this.transforms = [...this.transforms, `rotate(${short((angle * 180) / Math.PI)})`]; }
  measureText(text) { return this.real.measureText(text); }

  fillText(text, x, y, room = Infinity) {
    const anchor = { center: "middle", right: "end" }[this.textAlign] ?? "";
    const baseline = this.textBaseline === "middle" ? "central" : "";
    const squeezed = this.measureText(text).width > room ? { textLength: short(room), lengthAdjust: "spacingAndGlyphs" } : {};
    const place = { x: short(x), y: short(y), "text-anchor": anchor, "dominant-baseline": baseline };
    this.paint("text", { ...place, ...squeezed }, true).textContent = text;
  }

  clip() {
    this.clips += 1;
    const id = `clip${this.clips}`;
    this.element("path", { d: this.steps }, this.element("clipPath", { id }));
    this.parent = this.element("g", { "clip-path": `url(#${id})` });
  }

  save() { this.saved.push(Object.fromEntries(STATE.map((name) => [name, this[name]]))); }
  restore() { Object.assign(this, this.saved.pop()); }
}

/** The legend of a section: texts with the colours of their marks. */
function legendOf(section) {
  return [...section.querySelectorAll(".legend span, #types button")].map((entry) => {
    const mark = entry.querySelector("i");
    return [entry.textContent, mark && getComputedStyle(mark).backgroundColor];
  });
}

/** The chart on a canvas as an SVG document, its title above it and its legend below. */
function svgOf(canvas) {
  const section = canvas.closest("section");
  const context = new SvgContext(canvas.getContext("2d"));
  recording = { canvas, context };
  redrawNow();
  recording = null;
  const { root, width, height } = context;
  const chart = [...root.childNodes];
  const title = section.querySelector("h2").textContent;
  context.element("title", {}, root).textContent = `${document.title}: ${title}`;
  context.fillStyle = colour("card");
  const background = context.paint("rect", {}, true);
  root.append(...chart);
  Object.assign(context, { fillStyle: colour("ink"), globalAlpha: 1, textAlign: "left", textBaseline: "middle" });
  context.fillText(title, 0, -18);
  let [x, y] = [0, height + 14];
  for (const [text, paint] of legendOf(section)) {
    const length = 17 + context.measureText(text).width;
    if (x > 0 && x + length > width) [x, y] = [0, y + 18];
    context.fillStyle = paint ?? colour("soft");
    if (paint) context.fillRect(x, y - 4, 12, 8);
    context.fillStyle = colour("soft");
    context.fillText(text, paint ? x + 17 : x, y);
    x += length + 12;
  }
  const frame = { x: -12, y: -42, width: width + 24, height: y + 58 };
  for (const [name, value] of Object.entries(frame)) background.setAttribute(name, short(value));
  root.setAttribute("viewBox", Object.values(frame).map(short).join(" "));
  root.setAttribute("font-family", FONT);
  root.setAttribute("font-size", "12");
  return new XMLSerializer().serializeToString(root);
}

function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Adds a button beside the heading of each chart; the overview is part of the diagram. */
function offerSaving() {
  for (const canvas of document.querySelectorAll("canvas:not(#overview)")) {
    const button = make("button", { type: "button", class: "save", "data-chart": canvas.id }, "save as SVG");
    button.addEventListener("click", () => save(`${report.workload}-${canvas.id}.svg`, svgOf(canvas)));
    canvas.closest("section").querySelector("h2").before(button);
  }
}
