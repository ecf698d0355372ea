// What the diagram shows behind the messages: phases, cuts between the sides, nodes that are dead or paused.

/** Faults that have a mark of their own; others shade the time in which they last. */
const MARKED = ["partition", "one-way", "kill", "pause"];

const background = {
  /** The names of cuts, which are written above the lines of messages. */
  labels: [],

  draw(context, height) {
    this.labels = [];
    this.phases(context, height);
    for (const [name, , from, to] of report.faults) {
      if (!MARKED.includes(name)) this.shaded(context, from, to, TOP, height - TOP, "fault", 0.1);
    }
    for (const cut of report.cuts) this.cut(context, cut);
    for (const outage of report.outages) this.outage(context, outage);
  },

  write(context) {
    for (const [text, x, y] of this.labels) {
      shade(context, "card", 0.85, x - 3, y - 8, context.measureText(text).width + 6, 16);
      context.textAlign = "left";
      context.fillStyle = colour("fault");
      context.fillText(text, x, y);
    }
  },

  /** Shades a time; returns the part that is in view as left and width, or nothing. */
  shaded(context, from, to, top, height, paint, alpha) {
    const left = Math.max(diagram.x(from), diagram.left);
    const right = Math.min(diagram.x(to), diagram.width);
    if (right <= left) return null;
    shade(context, paint, alpha, left, top, right - left, height);
    return [left, right - left];
  },

  /** Setup, the main phase, and recovery, in which faults are healed and values read for the last time. */
  phases(context, height) {
    const main = report.main_us ?? diagram.last;
    const phases = [["setup", diagram.first, 0], ["main phase", 0, main], ["recovery", main, diagram.last]];
    context.textAlign = "center";
    for (const [name, from, to] of phases) {
      const place = this.shaded(context, from, to, PHASES - 8, 16, name === "main phase" ? "grid" : "line", 0.8);
      if (!place) continue;
      const [left, width] = place;
      context.fillStyle = colour("soft");
      if (width > context.measureText(name).width + 6) context.fillText(name, left + width / 2, PHASES);
      if (name !== "main phase" && width > 0) shade(context, "line", 0.25, left, TOP, width, height - TOP);
    }
  },

  /** A band between neighbouring lanes on different sides; the lanes of one side are thick. */
  cut(context, cut) {
    const { from_us: from, to_us, refused } = cut;
    const to = to_us ?? diagram.last;
    const senders = new Map(refused.map(([node, senders]) => [node, new Set(senders)]));
    const refuses = (a, b) => senders.get(a)?.has(b) || senders.get(b)?.has(a);
    const far = refused.find(([, senders]) => senders.length > 0)?.[1] ?? [];
    const rows = diagram.rows.filter((lane) => lanes[lane].kind === "node");
    let label = null;
    rows.forEach((lane, row) => {
      const y = diagram.y(lane);
      if (far.includes(lanes[lane].name)) this.shaded(context, from, to, y - 1.5, 3, "fault", 0.55);
      const next = rows[row + 1];
      if (next === undefined || !refuses(lanes[lane].name, lanes[next].name)) return;
      const place = this.shaded(context, from, to, y, diagram.y(next) - y, "fault", 0.14);
      label ??= place && [...place, (y + diagram.y(next)) / 2];
    });
    if (!label || diagram.pitch < 11) return;
    const [left, width, middle] = label;
    const text = [shortName(cut), "cut"].find((text) => context.measureText(text).width < width - 10);
    if (text) this.labels.push([text, left + 6, middle]);
  },

  /** A node is dead (a red line, from a cross on) or paused (a dashed one). */
  outage(context, { node, stop, from_us: from, to_us: to }) {
    const lane = laneOfName.get(node);
    if (!diagram.row.has(lane)) return;
    const [y, paint] = [diagram.y(lane), stop === "killed" ? "bad" : "info"];
    const left = Math.max(diagram.x(from), diagram.left);
    const right = Math.min(diagram.x(to ?? diagram.last), diagram.width);
    if (right <= left) return;
    context.strokeStyle = context.fillStyle = colour(paint);
    context.lineWidth = 4;
    context.setLineDash(stop === "killed" ? [] : [5, 4]);
    segment(context, left, y, right, y);
    context.setLineDash([]);
    context.lineWidth = 2;
    if (left > diagram.left && stop === "killed") cross(context, left, y, 6);
    const text = stop === "killed" ? "dead" : "paused";
    context.textAlign = "left";
    if (diagram.pitch >= 16 && right - left > context.measureText(text).width + 16) context.fillText(text, left + 9, y - 8);
  },
};

function cross(context, x, y, arm) {
  context.beginPath();
  context.moveTo(x - arm, y - arm);
  context.lineTo(x + arm, y + arm);
  context.moveTo(x - arm, y + arm);
  context.lineTo(x + arm, y - arm);
  context.stroke();
}
