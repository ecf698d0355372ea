// The space-time diagram (Lamport 1978): a lane for each participant, a line for each message.
const TOP = 26;
/** The maximum distance, in pixels, at which the pointer hits a message. */
const REACH = 9;
/** With more messages in view than `CROWD`, lines are faint and without arrows; with at most `FEW`, they have labels. */
const CROWD = 700;
const FEW = 45;
/** The shortest time span that can be shown, in microseconds. */
const CLOSEST = 20;

const messages = report.messages;
const count = messages.sent_us.length;
const frequency = messages.types.map(() => 0);
for (const kind of messages.kind) frequency[kind] += 1;
const kindsByFrequency = [...frequency.keys()].sort((a, b) => frequency[b] - frequency[a] || a - b);
const rank = [];
kindsByFrequency.forEach((kind, index) => (rank[kind] = index));
const laneOf = (name) => messages.lane[name];
const again = new Map(messages.again_us);

const diagram = {
  from: 0,
  to: 1,
  first: 0,
  last: 1,
  types: new Set(),
  lanes: new Set(),
  selected: -1,

  /** The lanes that are drawn; that of clients only if it is selected. */
  visibleLanes() {
    const all = [...report.lanes.keys()];
    return this.withClients ? all : all.filter((lane) => lane > 0);
  },

  wanted(i) {
    const [src, dest] = [laneOf(messages.src[i]), laneOf(messages.dest[i])];
    if (!this.withClients && (src === 0 || dest === 0)) return false;
    if (this.types.size > 0 && !this.types.has(messages.kind[i])) return false;
    return this.lanes.size === 0 || this.lanes.has(src) || this.lanes.has(dest);
  },

  /** Applies the filters. */
  filter() {
    this.chosen = [];
    for (let i = 0; i < count; i += 1) if (this.wanted(i)) this.chosen.push(i);
    this.spread = this.visibleLanes();
    this.row = new Map(this.spread.map((lane, row) => [lane, row]));
    this.draw();
  },

  x(us) {
    return this.left + ((us - this.from) / (this.to - this.from)) * (this.width - this.left);
  },

  y(lane) {
    return TOP + (this.row.get(lane) + 0.5) * this.pitch;
  },

  /** The line of a message, which ends halfway if it did not arrive. */
  ends(i) {
    const [src, dest] = [this.y(laneOf(messages.src[i])), this.y(laneOf(messages.dest[i]))];
    const sent = messages.sent_us[i];
    const arrived = messages.arrived_us[i];
    if (arrived !== null) return [this.x(sent), src, this.x(arrived), dest];
    return [this.x(sent), src, this.x(sent) + 14, src + (dest - src) * 0.45];
  },

  inView() {
    return this.chosen.filter((i) => {
      const until = Math.max(messages.arrived_us[i] ?? messages.sent_us[i], again.get(i) ?? -Infinity);
      return messages.sent_us[i] <= this.to && until >= this.from;
    });
  },

  draw() {
    const canvas = find("diagram");
    this.pitch = Math.max(3, Math.min(44, 740 / this.spread.length));
    const height = Math.round(TOP + this.pitch * this.spread.length + 6);
    const context = prepare(canvas, height);
    this.width = canvas.clientWidth;
    this.left = Math.min(110, Math.max(...[...this.spread.map((lane) => report.lanes[lane]), `client ${report.clients}`].map((name) => context.measureText(name).width)) + 12);
    this.axis(context, height, this.spread.map((lane) => [this.y(lane), report.lanes[lane], this.lanes.has(lane)]));
    const shown = this.inView();
    context.save();
    context.beginPath();
    context.rect(this.left, TOP - 4, this.width - this.left, height);
    context.clip();
    const crowd = shown.length > CROWD;
    context.globalAlpha = crowd ? Math.max(0.12, 0.75 * Math.sqrt(CROWD / shown.length)) : 0.85;
    for (const i of shown) this.message(context, i, crowd);
    context.globalAlpha = 1;
    if (shown.length <= FEW && this.pitch >= 12) for (const i of shown) this.name(context, i);
    if (this.selected >= 0 && this.row.has(laneOf(messages.src[this.selected])) && this.row.has(laneOf(messages.dest[this.selected]))) {
      context.lineWidth = 3.5;
      this.message(context, this.selected, false, colour("ink"));
    }
    context.restore();
    find("shown").textContent = `${plural(shown.length, "message")} in ${span(Math.round(this.to - this.from))}`;
    this.overview();
    timeline.draw();
  },

  /** Draws the lanes, given as position, name and whether it is selected, the faults, and the time axis. */
  axis(context, height, lanes) {
    context.textBaseline = "middle";
    const pitch = lanes.length > 1 ? lanes[1][0] - lanes[0][0] : height;
    const every = Math.ceil(11 / pitch);
    lanes.forEach(([middle, name, chosen], row) => {
      const y = Math.round(middle) + 0.5;
      context.strokeStyle = colour("grid");
      context.lineWidth = 1;
      segment(context, this.left, y, this.width, y);
      if (row % every) return;
      context.textAlign = "right";
      context.fillStyle = chosen ? colour("accent") : colour("soft");
      context.fillText(name, this.left - 8, y, this.left - 10);
    });
    for (const [, , from, to] of report.faults) {
      const [left, right] = [Math.max(this.x(from), this.left), Math.min(this.x(to), this.width)];
      if (right <= left) continue;
      shade(context, "fault", 0.1, left, TOP - 4, right - left, height - TOP + 4);
    }
    context.textAlign = "center";
    for (const at of ticks(this.from / 1e6, this.to / 1e6, (this.width - this.left) / 110)) {
      const x = Math.round(this.x(at * 1e6)) + 0.5;
      context.strokeStyle = colour("line");
      segment(context, x, TOP - 6, x, height);
      context.fillStyle = colour("soft");
      const digits = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10((this.to - this.from) / 1e7))));
      if (x > this.left + 20 && x < this.width - 20) context.fillText(`${at.toFixed(digits)} s`, x, 10);
    }
  },

  message(context, i, bare, paint = seriesColour(rank[messages.kind[i]])) {
    const [x1, y1, x2, y2] = this.ends(i);
    const lost = messages.arrived_us[i] === null;
    context.strokeStyle = context.fillStyle = paint;
    if (paint !== colour("ink")) context.lineWidth = bare ? 0.8 : 1.2;
    context.setLineDash(lost ? [3, 3] : []);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    if (again.has(i)) {
      context.moveTo(x1, y1);
      context.lineTo(this.x(again.get(i)), y2);
    }
    context.stroke();
    context.setLineDash([]);
    if (bare) return;
    context.beginPath();
    context.arc(x1, y1, 2, 0, 7);
    if (lost) {
      context.moveTo(x2 - 3, y2 - 3);
      context.lineTo(x2 + 3, y2 + 3);
      context.moveTo(x2 - 3, y2 + 3);
      context.lineTo(x2 + 3, y2 - 3);
      context.stroke();
    } else {
      const angle = Math.atan2(y2 - y1, x2 - x1);
      const barb = (turn) => [x2 - 7 * Math.cos(angle + turn), y2 - 7 * Math.sin(angle + turn)];
      polygon(context, [[x2, y2], barb(-0.35), barb(0.35)]);
    }
    context.fill();
  },

  name(context, i) {
    const [x1, y1, x2, y2] = this.ends(i);
    const text = messages.types[messages.kind[i]];
    if (Math.hypot(x2 - x1, y2 - y1) < context.measureText(text).width + 24) return;
    context.save();
    context.translate((x1 + x2) / 2, (y1 + y2) / 2);
    context.rotate(Math.atan2(y2 - y1, x2 - x1) + (x2 < x1 ? Math.PI : 0));
    context.textAlign = "center";
    context.fillStyle = seriesColour(rank[messages.kind[i]]);
    context.fillText(text, 0, -7);
    context.restore();
  },

  /** Draws the number of messages over time, and the part in view. */
  overview() {
    const canvas = find("overview");
    const height = 38;
    const context = prepare(canvas, height);
    const bins = Math.max(1, Math.floor((this.width - this.left) / 3));
    const sent = new Array(bins).fill(0);
    const reach = this.last - this.first;
    for (const i of this.chosen) sent[Math.min(bins - 1, Math.floor(((messages.sent_us[i] - this.first) / reach) * bins))] += 1;
    const high = Math.max(1, ...sent);
    const at = (us) => this.left + ((us - this.first) / reach) * (this.width - this.left);
    for (const [, , from, to] of report.faults) shade(context, "fault", 0.15, at(from), 0, at(to) - at(from), height);
    context.fillStyle = colour("soft");
    sent.forEach((count, bin) => {
      const bar = Math.ceil((count / high) * (height - 6));
      context.fillRect(this.left + (bin * (this.width - this.left)) / bins, height - bar, 2, bar);
    });
    const [left, right] = [at(this.from), at(this.to)];
    shade(context, "accent", 0.16, left, 0, Math.max(right - left, 2), height);
    context.strokeStyle = colour("accent");
    context.lineWidth = 1.5;
    context.strokeRect(left, 0.75, Math.max(right - left, 2), height - 1.5);
  },

  /** Shows the time from `from` to `to`, within the run. */
  show(from, to) {
    const reach = this.last - this.first;
    const width = Math.min(Math.max(to - from, CLOSEST), reach);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - width / 2, this.first), this.last - width);
    this.to = this.from + width;
    this.draw();
  },

  /** Zooms by a factor around a time. */
  zoom(factor, around = (this.from + this.to) / 2) {
    this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
  },

  pan(share) {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  },

  /** The message whose line is nearest to a point, or -1. */
  hit(x, y) {
    let [nearest, best] = [-1, REACH];
    for (const i of this.inView()) {
      const [x1, y1, x2, y2] = this.ends(i);
      const length = (x2 - x1) ** 2 + (y2 - y1) ** 2 || 1;
      const along = Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
      const away = Math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1));
      if (away < best) [nearest, best] = [i, away];
    }
    return nearest;
  },

  /** The position of the middle of a message's line in the window. */
  middle(i) {
    const [x1, y1, x2, y2] = this.ends(i);
    const box = find("diagram").getBoundingClientRect();
    return [box.left + (x1 + x2) / 2, box.top + (y1 + y2) / 2];
  },

  select(i) {
    this.selected = i;
    const panel = find("message");
    panel.hidden = i < 0;
    if (i >= 0) describe(panel, i);
    this.draw();
  },

  /** Selects the next or previous message that the filters allow, and scrolls to it. */
  step(by) {
    const place = lowerBound(this.chosen, this.selected);
    const start = this.selected < 0 ? lowerBound(this.chosen.map((i) => messages.sent_us[i]), this.from) - (by > 0 ? 1 : 0) : place;
    const next = this.chosen[Math.max(0, Math.min(start + by, this.chosen.length - 1))];
    if (next === undefined) return;
    const [sent, arrived] = [messages.sent_us[next], messages.arrived_us[next] ?? messages.sent_us[next]];
    if (sent < this.from || arrived > this.to) {
      const width = Math.max(this.to - this.from, (arrived - sent) * 1.2);
      const middle = (sent + arrived) / 2;
      this.show(middle - width / 2, middle + width / 2);
    }
    this.select(next);
  },
};

function describe(panel, i) {
  const [src, dest] = [messages.names[messages.src[i]], messages.names[messages.dest[i]]];
  panel.querySelector("h3").textContent = `${src} → ${dest}: ${messages.types[messages.kind[i]]}`;
  const arrived = messages.arrived_us[i];
  const facts = [
    ["id", messages.id[i]],
    ["sent", seconds(messages.sent_us[i])],
    ["arrived", arrived === null ? "never" : `${seconds(arrived)}, after ${span(arrived - messages.sent_us[i])}`],
  ];
  if (again.has(i)) facts.push(["and again", seconds(again.get(i))]);
  const whole = new Map(messages.cut).get(i);
  if (whole) facts.push(["body", `the first ${grouped(messages.body[i].length)} characters of ${grouped(whole)} bytes`]);
  panel.querySelector("dl").replaceChildren(...define(facts));
  panel.querySelector("pre").textContent = whole ? `${messages.body[i]}…` : pretty(messages.body[i]);
}

/** Indents JSON, if that does not change it; lists of scalars stay on one line. Other text is returned unchanged. */
function pretty(text) {
  try {
    const parsed = JSON.parse(text);
    const bare = (json) => json.replace(/\s/g, "");
    if (bare(JSON.stringify(parsed)) !== bare(text)) return text;
    return JSON.stringify(parsed, null, 2)
      .replace(/\[\n\s+([^[\]{}]*?)\n\s+\]/g, (_, inner) => `[${inner.replace(/\n\s+/g, " ")}]`);
  } catch {
    return text;
  }
}

/** Filter buttons; if none is pressed, everything passes. */
function chips(id, entries, pressed) {
  find(id).replaceChildren(...entries.map(([key, name, paint]) => {
    const chip = make("button", { type: "button", "aria-pressed": "false" }, name);
    if (paint !== undefined) {
      const dot = make("i", {});
      chip.prepend(dot);
      onRedraw(() => (dot.style.background = seriesColour(paint)));
    }
    chip.addEventListener("click", () => {
      const on = !pressed.has(key);
      if (on) pressed.add(key);
      else pressed.delete(key);
      chip.setAttribute("aria-pressed", String(on));
      diagram.filter();
    });
    return chip;
  }));
}

/** Lets wheel and drag change the time span of a canvas; passes on other pointer movements, and clicks. */
function navigate(canvas, hover, click) {
  const time = (event) =>
    diagram.from + ((event.offsetX - diagram.left) / (diagram.width - diagram.left)) * (diagram.to - diagram.from);
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) diagram.pan(event.deltaX / 1000);
    else diagram.zoom(1.0015 ** event.deltaY, time(event));
  }, { passive: false });

  let grip = null;
  canvas.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX, from: diagram.from, to: diagram.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return hover(event);
    grip.moved ||= Math.abs(event.clientX - grip.x) > 4;
    if (!grip.moved) return;
    canvas.classList.add("dragged");
    const by = ((grip.x - event.clientX) / (diagram.width - diagram.left)) * (grip.to - grip.from);
    diagram.show(grip.from + by, grip.to + by);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (grip && !grip.moved) click(event);
    grip = null;
    canvas.classList.remove("dragged");
  });
}

function startDiagram() {
  const canvas = find("diagram");
  const touched = (i) => laneOf(messages.src[i]) === 0 || laneOf(messages.dest[i]) === 0;
  const between = [...Array(count).keys()].filter((i) => !touched(i));
  diagram.withClients = between.length === 0;
  diagram.last = Math.max(report.end_us, messages.sent_us[count - 1] ?? 0, 1);
  diagram.first = Math.min(0, ...messages.sent_us.slice(0, 1));
  const note = count < messages.total
    ? `Showing the first messages of each kind: ${grouped(count)} of ${grouped(messages.total)}. ` : "";
  find("diagram-note").textContent =
    `${note}Drag to move, click a message to see its body; after a click, the wheel zooms. Keys: arrows, +, −, N, P.`;

  const kinds = kindsByFrequency.map((kind) => [kind, `${messages.types[kind]} ${grouped(frequency[kind])}`, rank[kind]]);
  chips("types", kinds, diagram.types);
  const named = report.lanes.map((name, lane) => [lane, name]).slice(1);
  chips("nodes", named, diagram.lanes);
  const clients = make("button", { type: "button", "aria-pressed": String(diagram.withClients), id: "with-clients" }, "with clients");
  clients.addEventListener("click", () => {
    diagram.withClients = !diagram.withClients;
    clients.setAttribute("aria-pressed", String(diagram.withClients));
    diagram.filter();
  });
  find("nodes").prepend(clients);

  // The initial time span is the longest that is still readable.
  const shown = diagram.withClients ? [...Array(count).keys()] : between;
  const begin = shown.findIndex((i) => messages.sent_us[i] >= 0);
  const from = Math.max(messages.sent_us[shown[begin]] ?? 0, 0);
  const readable = Math.max(150, 4 * report.lanes.length);
  const until = messages.sent_us[shown[Math.min(begin + readable, shown.length - 1)]] ?? diagram.last;
  const transits = shown.slice(0, readable).map((i) => (messages.arrived_us[i] ?? messages.sent_us[i]) - messages.sent_us[i]);
  diagram.from = from;
  diagram.to = Math.min(Math.max(until, from + 1000, from + 4 * Math.max(0, ...transits)), diagram.last);
  diagram.filter();
  redraws.push(() => diagram.draw());

  onClick("zoom-in", () => diagram.zoom(0.5));
  onClick("zoom-out", () => diagram.zoom(2));
  onClick("zoom-all", () => diagram.show(diagram.first, diagram.last));
  onClick("next", () => diagram.step(1));
  onClick("previous", () => diagram.step(-1));
  navigate(canvas, (event) => {
    const near = diagram.hit(event.offsetX, event.offsetY);
    canvas.style.cursor = near < 0 ? "" : "pointer";
    tip(event, near < 0 ? "" : `${messages.names[messages.src[near]]} → ${messages.names[messages.dest[near]]}: ${messages.types[messages.kind[near]]}`);
  }, (event) => diagram.select(diagram.hit(event.offsetX, event.offsetY)));
  canvas.addEventListener("keydown", (event) => {
    const acts = {
      ArrowLeft: () => diagram.pan(-0.2), ArrowRight: () => diagram.pan(0.2),
      "+": () => diagram.zoom(0.5), "=": () => diagram.zoom(0.5), "-": () => diagram.zoom(2),
      0: () => diagram.show(diagram.first, diagram.last), Home: () => diagram.show(diagram.first, diagram.last),
      n: () => diagram.step(1), p: () => diagram.step(-1), Escape: () => diagram.select(-1),
    };
    const act = acts[event.key] ?? acts[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  const overview = find("overview");
  const jump = (event) => {
    if (event.buttons === 0) return;
    const at = diagram.first + ((event.offsetX - diagram.left) / (diagram.width - diagram.left)) * (diagram.last - diagram.first);
    const half = (diagram.to - diagram.from) / 2;
    diagram.show(at - half, at + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    jump(event);
  });
  overview.addEventListener("pointermove", jump);
}
