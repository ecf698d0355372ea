// The space-time diagram (Lamport 1978): a lane for each participant, a line for each message. This is what it shows and
// how it is drawn; what it is asked to show comes from the other scripts.

/** The heights of the time axis and of the names of phases; lanes begin below. */
const [TIMES, PHASES, TOP] = [10, 27, 44];
/** The maximum distance, in pixels, at which the pointer hits a message. */
const REACH = 9;
/** With more messages in view than `CROWD`, lines are faint and without arrows; with at most `FEW`, they have labels. */
const CROWD = 700;
const FEW = 45;
/** The shortest time span that can be shown, in microseconds. */
const CLOSEST = 20;

const diagram = {
  /** The time in view: its beginning and its length; and the whole of the run. */
  from: 0,
  span: 1,
  first: 0,
  last: 1,
  /** The filters: types and lanes, of which all pass if none is chosen. */
  types: new Set(),
  lanes: new Set(),
  withClients: false,
  /** The messages that pass, and when each was sent. */
  chosen: [],
  chosenSent: new Float64Array(0),
  /** The lanes that are drawn, from above, and the place of each. */
  rows: [],
  row: new Map(),
  selected: -1,
  /** What is in colour, or null: messages as a set, and the numbered steps. */
  journey: null,
  /** What the layer of lines shows. */
  painted: null,

  get to() {
    return this.from + this.span;
  },

  wanted(i) {
    if (!this.withClients && hasClient(i)) return false;
    if (this.types.size > 0 && !this.types.has(messages.kind[i])) return false;
    return this.lanes.size === 0 || this.lanes.has(ends.src[i]) || this.lanes.has(ends.dest[i]);
  },

  /** Applies the filters. Clients of a journey have lanes in any case. */
  filter() {
    this.chosen = [];
    for (let i = 0; i < messages.count; i += 1) if (this.wanted(i)) this.chosen.push(i);
    this.chosenSent = Float64Array.from(this.chosen, (i) => messages.sent[i]);
    const used = new Set();
    const note = (i) => used.add(ends.src[i]).add(ends.dest[i]);
    if (this.withClients) this.chosen.forEach(note);
    this.journey?.messages.forEach(note);
    this.rows = [...lanes.keys()].filter((lane) => !isClient(lane) || used.has(lane));
    this.row = new Map(this.rows.map((lane, row) => [lane, row]));
    this.repaint();
  },

  x(us) {
    return this.left + ((us - this.from) / this.span) * (this.width - this.left);
  },

  /** The time at a position. */
  at(x) {
    return this.from + ((x - this.left) / (this.width - this.left)) * this.span;
  },

  y(lane) {
    return TOP + (this.row.get(lane) + 0.5) * this.pitch;
  },

  /** Where the line of a copy ends: at its arrival, or short of its receiver if it was dropped. */
  end(i, { took, fate }) {
    const [src, dest] = [this.y(ends.src[i]), this.y(ends.dest[i])];
    const sent = messages.sent[i];
    if (fateName(fate) === "delivered") return [this.x(sent + took), dest];
    return [Math.max(this.x(sent + took), this.x(sent) + this.stub), dest - Math.sign(dest - src) * 0.3 * this.pitch];
  },

  /** Both ends of the line of a message. */
  ends(i) {
    const first = { took: messages.took[i], fate: messages.fate[i] };
    return [this.x(messages.sent[i]), this.y(ends.src[i]), ...this.end(i, first)];
  },

  /** The part of `chosen` that may be under way in a time. */
  between(from, to) {
    return { from, begin: lowerBound(this.chosenSent, from - messages.longest), end: lowerBound(this.chosenSent, to) };
  },

  /** The messages that pass the filters and are under way in the time that is shown. */
  inView(from = this.from, to = this.to) {
    const { begin, end } = this.between(from, to);
    return this.chosen.slice(begin, end).filter((i) => messages.until[i] >= from);
  },

  countInView() {
    const { begin, end } = this.between(this.from, this.to);
    let found = 0;
    for (let place = begin; place < end; place += 1) found += messages.until[this.chosen[place]] >= this.from;
    return found;
  },

  /** Draws in the next frame, and in as many as it takes. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      if (this.paint(now)) this.draw();
    });
  },

  /** Draws all lines anew, since they look different. */
  repaint() {
    this.painted = null;
    this.draw();
  },

  /** Draws one frame; returns whether lines are left for others. `whole` draws all at once: for files and paper. */
  paint(now, whole = recording !== null) {
    const canvas = find("diagram");
    this.pitch = Math.max(3, Math.min(44, 740 / this.rows.length));
    this.stub = Math.min(14, this.pitch / 2);
    this.height = Math.round(TOP + this.pitch * this.rows.length + 6);
    this.width = canvas.clientWidth;
    const context = prepare(canvas, this.height);
    const names = [...this.rows.map((lane) => lanes[lane].name), `client ${report.clients}`];
    const widest = Math.max(...names.map((name) => context.measureText(name).width));
    this.left = Math.ceil(Math.min(110, widest + 12));
    const shown = this.countInView();
    if (!whole) this.updateLayer(shown);
    this.axis(context, this.height, this.rows.map((lane) => [this.y(lane), lanes[lane].name, this.lanes.has(lane)]));
    background.draw(context, this.height);
    context.save();
    context.beginPath();
    context.rect(this.left, TOP - 4, this.width - this.left, this.height);
    context.clip();
    let unfinished = false;
    if (whole) {
      drawLines(context, this.inView(), crowdOf(shown));
    } else {
      unfinished = layer.paint(this.painted.ratio, this.painted.crowd, now);
      context.drawImage(layer.canvas, this.left, 0, this.width - this.left, this.height);
    }
    background.write(context);
    if (!this.journey && shown <= FEW && this.pitch >= 12) {
      for (const i of this.inView()) this.label(context, i, messages.types[messages.kind[i]]);
    }
    if (this.journey) drawJourney(context);
    if (this.selected >= 0 && this.isDrawn(this.selected)) {
      context.lineWidth = 3.5;
      drawMessage(context, this.selected, colour("ink"));
    }
    context.restore();
    find("shown").textContent = `${plural(shown, "message")} in ${span(Math.round(this.span))}`;
    drawOverview();
    timeline.follow();
    return unfinished;
  },

  /** Brings the layer of lines to the time that is shown: shifted, if it can be. */
  updateLayer(shown) {
    const ratio = window.devicePixelRatio || 1;
    const plot = Math.max(1, Math.round((this.width - this.left) * ratio));
    const height = Math.round(this.height * ratio);
    const last = this.painted;
    const similar = last && shown <= 2 * last.shown && 2 * shown >= last.shown &&
      crowdOf(shown).bare === last.crowd.bare;
    const fits = last && last.plot === plot && last.height === height && last.ratio === ratio;
    if (similar && fits && Math.abs(last.span / this.span - 1) < 1e-9) {
      const pixels = Math.round(((last.from - this.from) / this.span) * plot);
      if (Math.abs(pixels) < plot) {
        // Whole pixels, so that shifted lines stay sharp and meet those that are added.
        this.from = last.from - (pixels / plot) * this.span;
        last.from = this.from;
        if (pixels !== 0) layer.shift(pixels);
        return;
      }
    }
    this.painted = { from: this.from, span: this.span, plot, height, ratio, shown, crowd: crowdOf(shown) };
    layer.clear(plot, height);
  },

  /** Draws the lanes, given as position, name and whether it is selected, and the time axis. */
  axis(context, height, rows) {
    context.textBaseline = "middle";
    const pitch = rows.length > 1 ? rows[1][0] - rows[0][0] : height;
    const every = Math.ceil(11 / pitch);
    rows.forEach(([middle, name, chosen], row) => {
      const y = Math.round(middle) + 0.5;
      context.strokeStyle = colour("grid");
      context.lineWidth = 1;
      segment(context, this.left, y, this.width, y);
      if (row % every) return;
      context.textAlign = "right";
      context.fillStyle = chosen ? colour("accent") : colour("soft");
      context.fillText(name, this.left - 8, y, this.left - 10);
    });
    context.textAlign = "center";
    for (const at of ticks(this.from / 1e6, this.to / 1e6, (this.width - this.left) / 110)) {
      const x = Math.round(this.x(at * 1e6)) + 0.5;
      context.strokeStyle = colour("grid");
      segment(context, x, TIMES + 8, x, height);
      context.fillStyle = colour("soft");
      const digits = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(this.span / 1e7))));
      if (x > this.left + 20 && x < this.width - 20) context.fillText(`${at.toFixed(digits)} s`, x, TIMES);
    }
  },

  isDrawn(i) {
    return this.row.has(ends.src[i]) && this.row.has(ends.dest[i]);
  },

  /** Writes a text along the line of a message, if it fits. */
  label(context, i, text, paint = seriesColour(messages.rank[messages.kind[i]])) {
    const [x1, y1, x2, y2] = this.ends(i);
    if (Math.hypot(x2 - x1, y2 - y1) < context.measureText(text).width + 24) return;
    context.save();
    context.translate((x1 + x2) / 2, (y1 + y2) / 2);
    context.rotate(Math.atan2(y2 - y1, x2 - x1) + (x2 < x1 ? Math.PI : 0));
    context.textAlign = "center";
    context.fillStyle = paint;
    context.fillText(text, 0, -7);
    context.restore();
  },

  /** Shows the time from `from` to `to`, within the run. */
  show(from, to) {
    const reach = this.last - this.first;
    this.span = Math.min(Math.max(to - from, CLOSEST), reach);
    this.from = Math.min(Math.max((from + to - this.span) / 2, this.first), this.last - this.span);
    this.draw();
  },

  /** Moves to a time without zooming. */
  moveTo(from) {
    this.from = Math.min(Math.max(from, this.first), this.last - this.span);
    this.draw();
  },

  pan(share) {
    this.moveTo(this.from + this.span * share);
  },

  /** Zooms by a factor about a time: that of the selection, if it is in view. */
  zoom(factor, around = (this.from + this.to) / 2) {
    const about = this.anchor() ?? around;
    this.show(about - (about - this.from) * factor, about + (this.to - about) * factor);
  },

  /** The middle of the selected message, if that is in view. */
  anchor() {
    if (this.selected < 0) return null;
    const middle = messages.sent[this.selected] + messages.took[this.selected] / 2;
    return middle >= this.from && middle <= this.to ? middle : null;
  },

  /** The message whose line is nearest to a point, or -1. In a journey, only its messages count. */
  hit(x, y) {
    let [nearest, best] = [-1, REACH];
    const near = this.journey
      ? [...this.journey.messages].filter((i) => this.isDrawn(i))
      : this.inView(this.at(x - REACH - this.stub), this.at(x + REACH));
    for (const i of near) {
      const [x1, y1, x2, y2] = this.ends(i);
      const length = (x2 - x1) ** 2 + (y2 - y1) ** 2 || 1;
      const along = Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
      const away = Math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1));
      if (away < best) [nearest, best] = [i, away];
    }
    return nearest;
  },

  select(i) {
    this.selected = i;
    describe(i);
    this.draw();
  },

  /** Selects the next or previous message in colour, and scrolls to it. */
  step(by) {
    const all = this.journey ? [...this.journey.messages].sort((a, b) => a - b) : this.chosen;
    let place = lowerBound(all, this.selected) + by;
    if (this.selected < 0) {
      const begin = all.findIndex((i) => messages.sent[i] >= this.from);
      place = begin < 0 ? all.length - 1 : begin - (by < 0 ? 1 : 0);
    }
    const next = all[Math.max(0, Math.min(place, all.length - 1))];
    if (next !== undefined) this.reveal(next);
  },

  /** Selects a message, and shows its time if it is not in view. */
  reveal(i) {
    const [sent, ended] = [messages.sent[i], messages.until[i]];
    if (sent < this.from || ended > this.to) {
      const width = Math.max(this.span, (ended - sent) * 1.2);
      this.show((sent + ended - width) / 2, (sent + ended + width) / 2);
    }
    this.select(i);
  },
};

/** How many lines look like in a view with so many. */
const crowdOf = (shown) => ({
  bare: shown > CROWD,
  alpha: shown > CROWD ? Math.max(0.12, 0.75 * Math.sqrt(CROWD / shown)) : 0.85,
});

/** The first view: as long as is still readable. */
function firstView() {
  const shown = diagram.chosen;
  const begin = Math.max(0, shown.findIndex((i) => messages.sent[i] >= 0));
  const from = Math.max(messages.sent[shown[begin]] ?? 0, 0);
  const readable = Math.max(150, 4 * report.nodes);
  const until = messages.sent[shown[Math.min(begin + readable, shown.length - 1)]] ?? diagram.last;
  const longest = shown.slice(begin, begin + readable).reduce((longest, i) => Math.max(longest, messages.took[i]), 0);
  return [from, Math.min(Math.max(until, from + 1000, from + Math.min(4 * longest, 10e6)), diagram.last)];
}

function startDiagram() {
  assignLanes();
  diagram.withClients = !messages.src.some((_, i) => !hasClient(i));
  diagram.last = Math.max(report.end_us, messages.sent[messages.count - 1] ?? 0, 1);
  diagram.first = Math.min(0, messages.sent[0] ?? 0);
  const missing = messages.total - messages.count;
  const note = missing > 0 ? `The journal was full: the last ${grouped(missing)} of ${grouped(messages.total)} messages are missing. ` : "";
  find("diagram-note").textContent =
    `${note}Drag to move, click a message to see its body; after a click, the wheel zooms. Keys: arrows, +, −, 0, N, P, Escape.`;
  startFilters();
  diagram.filter();
  diagram.show(...firstView());
  redraws.push(() => {
    if (recording) {
      if (recording.canvas === find("diagram")) diagram.paint(0);
      if (recording.canvas === find("timeline")) timeline.draw();
      return;
    }
    diagram.painted = null;
    if (printing) diagram.paint(0, true);
    else diagram.draw();
  });
}
