// The plot area of a chart, with two axes.

/** Round numbers from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough;
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) found.push(n * step);
  return found;
}

const tenfolds = (low, high) => {
  const found = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high * 1.0001; power += 1) found.push(10 ** power);
  return found;
};

const label = (number) => grouped(Number(number.toPrecision(6)));

const MARGIN = { left: 70, right: 14, top: 10, bottom: 34 };

/** Scales from values to pixels. `x` and `y` are ranges; `y` may be logarithmic. */
class Plane {
  constructor(canvas, { height, x, y, log = false, xTitle, yTitle }) {
    Object.assign(this, { canvas, height, x, y, log, xTitle, yTitle });
  }

  begin() {
    this.context = prepare(this.canvas, this.height);
    this.right = this.canvas.clientWidth - MARGIN.right;
    this.bottom = this.height - MARGIN.bottom;
    this.axes();
    return this.context;
  }

  atX(value) {
    return MARGIN.left + ((value - this.x[0]) / (this.x[1] - this.x[0])) * (this.right - MARGIN.left);
  }

  /** The value at a pixel. */
  xAt(pixel) {
    return this.x[0] + ((pixel - MARGIN.left) / (this.right - MARGIN.left)) * (this.x[1] - this.x[0]);
  }

  atY(value) {
    const [low, high] = this.y;
    const share = this.log
      ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
      : (value - low) / (high - low);
    return this.bottom - share * (this.bottom - MARGIN.top);
  }

  axes() {
    const { context, right, bottom } = this;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const rows = this.log ? tenfolds(...this.y) : ticks(...this.y, this.height / 45);
    for (const row of rows) {
      const y = Math.round(this.atY(row)) + 0.5;
      context.strokeStyle = colour("grid");
      segment(context, MARGIN.left, y, right, y);
      context.fillStyle = colour("soft");
      // Values below a logarithmic axis are drawn on its edge.
      context.fillText(this.log && row === this.y[0] ? `≤ ${label(row)}` : label(row), MARGIN.left - 7, y);
    }
    context.textAlign = "center";
    for (const column of ticks(...this.x, (right - MARGIN.left) / 80)) {
      const x = Math.round(this.atX(column)) + 0.5;
      context.strokeStyle = colour("grid");
      segment(context, x, MARGIN.top, x, bottom);
      context.fillText(label(column), x, bottom + 11);
    }
    context.fillText(this.xTitle, (MARGIN.left + right) / 2, this.height - 6);
    fillUpright(context, this.yTitle, 9, (MARGIN.top + bottom) / 2);
    context.strokeStyle = colour("line");
    context.strokeRect(MARGIN.left + 0.5, MARGIN.top + 0.5, right - MARGIN.left, bottom - MARGIN.top);
  }

  /** Shades the times of faults; `x` is in seconds. Each kind of fault has a row for its labels. */
  faults(named) {
    const { context } = this;
    const rows = [...new Set(report.faults.map(([name]) => name))];
    for (const [name, kind, from, to] of report.faults) {
      const [left, right] = [this.atX(from / 1e6), this.atX(to / 1e6)];
      shade(context, "fault", 0.13, left, MARGIN.top, Math.max(right - left, 1), this.bottom - MARGIN.top);
      if (!named) continue;
      const text = [`${name} ${kind}`, name].find((text) => context.measureText(text).width < right - left - 6);
      context.textAlign = "left";
      if (text) context.fillText(text, left + 4, MARGIN.top + 9 + 14 * rows.indexOf(name));
    }
  }

  /** Draws lines through points, interrupted where a point is missing. */
  line(points, stroke) {
    const { context } = this;
    context.strokeStyle = stroke;
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.beginPath();
    let broken = true;
    for (const point of points) {
      if (point) context[broken ? "moveTo" : "lineTo"](this.atX(point[0]), this.atY(point[1]));
      broken = !point;
    }
    context.stroke();
  }
}

function legend(id, entries) {
  find(id).replaceChildren(...entries.map(([name, paint]) => make("span", {}, make("i", { "data-colour": paint }), name)));
  onRedraw(() => {
    for (const mark of find(id).querySelectorAll("i")) mark.style.background = colour(mark.dataset.colour);
  });
}
