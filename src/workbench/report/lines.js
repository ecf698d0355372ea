// The lines of messages, on a layer of their own. Moving shifts what is drawn and adds the part that comes into view;
// of very many lines some are drawn in each frame, until all are there. So each frame is short, and nothing is left out.

/** How many lines a frame may draw at first, and the bounds within which it adapts to the machine. */
const BATCH = { first: 4000, least: 500, most: 20000 };
/** Frames that are longer, in milliseconds, make batches smaller. */
const SLOW_FRAME = 18;
/** How many lines of a colour are one path: long paths are slow. */
const PATH = 64;

const layer = {
  canvas: document.createElement("canvas"),
  /** The parts that are not complete: from and to in device pixels, and the message to go on with. */
  gaps: [],
  batch: BATCH.first,
  /** How many lines have been drawn since the page was opened. */
  drawn: 0,
  painted: 0,

  /** Begins anew, for the view that the diagram shows now. */
  clear(width, height) {
    Object.assign(this.canvas, { width, height });
    this.gaps = [{ from: 0, to: width, next: 0 }];
  },

  /** Moves what is drawn to the right by so many device pixels, or to the left. */
  shift(pixels) {
    const { width } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalCompositeOperation = "copy";
    context.drawImage(this.canvas, pixels, 0);
    context.globalCompositeOperation = "source-over";
    const bounded = (x) => Math.min(Math.max(x, 0), width);
    this.gaps = this.gaps.map(({ from, to, next }) => ({ from: bounded(from + pixels), to: bounded(to + pixels), next }));
    this.gaps.push(pixels > 0 ? { from: 0, to: pixels, next: 0 } : { from: width + pixels, to: width, next: 0 });
    this.gaps = this.gaps.filter(({ from, to }) => from < to);
  },

  /** Draws the lines of one frame; returns whether some are left. */
  paint(ratio, crowd, now) {
    if (this.gaps.length > 0) {
      const slow = now - this.painted > SLOW_FRAME && now - this.painted < 200;
      this.batch = Math.min(Math.max(this.batch * (slow ? 0.7 : 1.15), BATCH.least), BATCH.most);
    }
    this.painted = now;
    let left = Math.round(this.batch);
    while (this.gaps.length > 0 && left > 0) {
      left -= this.fill(this.gaps[0], ratio, crowd, left);
      if (this.gaps[0].next === Infinity) this.gaps.shift();
    }
    return this.gaps.length > 0;
  },

  /** Draws at most so many lines of a gap; returns how many. */
  fill(gap, ratio, crowd, most) {
    const context = this.canvas.getContext("2d");
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(gap.from, 0, gap.to - gap.from, this.canvas.height);
    context.clip();
    context.setTransform(ratio, 0, 0, ratio, -diagram.left * ratio, 0);
    // Marks reach beyond the time of a message: crosses and dots to both sides, the line of a dropped one to the right.
    const mark = crowd.bare ? 1 : 8;
    const [left, right] = [gap.from / ratio + diagram.left - diagram.stub - mark, gap.to / ratio + diagram.left + mark];
    const range = diagram.between(diagram.at(left), diagram.at(right));
    const found = [];
    let place = Math.max(gap.next, range.begin);
    for (; place < range.end && found.length < most; place += 1) {
      const i = diagram.chosen[place];
      if (messages.until[i] >= range.from) found.push(i);
    }
    gap.next = place < range.end ? place : Infinity;
    drawLines(context, found, crowd);
    context.restore();
    this.drawn += found.length;
    return Math.max(found.length, 1);
  },
};

/** Draws the lines of messages: in a crowd without arrows, and faint. */
function drawLines(context, found, crowd) {
  context.globalAlpha = crowd.alpha;
  context.lineWidth = crowd.bare ? 0.8 : 1.2;
  if (!crowd.bare) {
    for (const i of found) drawMessage(context, i, lineColour(i));
    context.globalAlpha = 1;
    return;
  }
  const byColour = new Map();
  for (const i of found) {
    const paint = lineColour(i);
    if (!byColour.has(paint)) byColour.set(paint, []);
    byColour.get(paint).push(i);
  }
  for (const [paint, same] of byColour) {
    context.strokeStyle = paint;
    for (let begin = 0; begin < same.length; begin += PATH) {
      context.beginPath();
      for (const i of same.slice(begin, begin + PATH)) trace(context, i);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

/** With a journey in the diagram, all other messages are grey. */
const lineColour = (i) => (diagram.journey ? colour("faint") : seriesColour(messages.rank[messages.kind[i]]));

/** Adds the lines of all copies of a message to the path. */
function trace(context, i) {
  const [x1, y1, x2, y2] = diagram.ends(i);
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  const copy = messages.again.get(i);
  if (!copy) return;
  context.moveTo(x1, y1);
  context.lineTo(...diagram.end(i, copy));
}

/** Draws a message with its arrow, or the cross where it was dropped. */
function drawMessage(context, i, paint) {
  const [x1, y1, x2, y2] = diagram.ends(i);
  const dropped = !wasDelivered(i);
  context.strokeStyle = context.fillStyle = paint;
  context.setLineDash(dropped ? [4, 3] : []);
  context.beginPath();
  trace(context, i);
  context.stroke();
  context.setLineDash([]);
  if (dropped) cross(context, x2, y2, 3.5);
  context.beginPath();
  context.arc(x1, y1, 2, 0, 7);
  if (!dropped) {
    const angle = Math.atan2(y2 - y1, x2 - x1);
    const barb = (turn) => [x2 - 7 * Math.cos(angle + turn), y2 - 7 * Math.sin(angle + turn)];
    polygon(context, [[x2, y2], barb(-0.35), barb(0.35)]);
  }
  context.fill();
}
