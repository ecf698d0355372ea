// The operations of each client: a row for each client, a bar for each operation, over the time span of the diagram.

const timeline = {
  /** The operations that are in view. */
  inView() {
    const { start_us: start, took_us: took } = report.operations;
    const found = [];
    for (let i = 0; i < start.length && start[i] <= diagram.to; i += 1) {
      if (start[i] + took[i] >= diagram.from) found.push(i);
    }
    return found;
  },

  row(i) {
    return report.operations.process[i] % this.rows;
  },

  /** Left, top, width and height of the bar of an operation. */
  bar(i) {
    const { start_us: start, took_us: took } = report.operations;
    const [left, right] = [Math.max(diagram.x(start[i]), diagram.left), Math.min(diagram.x(start[i] + took[i]), diagram.width)];
    const gap = this.pitch > 6 ? 1 : 0;
    return [left, TOP + this.row(i) * this.pitch + gap, Math.max(right - left, 1.5), this.pitch - 2 * gap];
  },

  /** Follows the diagram: at once, or with very many operations as soon as it stays where it is. */
  follow() {
    clearTimeout(this.later);
    if (printing || this.inView().length <= CROWD) this.draw();
    else this.later = setTimeout(() => this.draw(), 60);
  },

  draw() {
    const { names, name, outcome, value } = report.operations;
    this.rows = Math.max(report.clients, 1);
    this.pitch = Math.max(3, Math.min(20, 400 / this.rows));
    const height = Math.round(TOP + this.pitch * this.rows + 6);
    const context = prepare(find("timeline"), height);
    const lane = (row) => [TOP + (row + 0.5) * this.pitch, `client ${row}`, false];
    diagram.axis(context, height, [...Array(this.rows).keys()].map(lane));
    const shown = this.inView();
    for (const i of shown) {
      const [x, y, width, tall] = this.bar(i);
      shade(context, OUTCOMES[outcome[i]], 0.75, x, y, width, tall);
      if (shown.length > 400 || this.pitch < 12) continue;
      const text = [`${names[name[i]]} ${value[i]}`, names[name[i]]].find((text) => context.measureText(text).width < width - 6);
      context.fillStyle = colour("card");
      context.textAlign = "left";
      if (text) context.fillText(text, x + 3, y + tall / 2);
    }
  },

  /** The operation at a point, or -1; the last one where bars overlap. */
  hit(x, y) {
    const under = ([left, top, width, height]) => x >= left - 2 && x <= left + width + 2 && y >= top && y <= top + height;
    return this.inView().findLast((i) => under(this.bar(i))) ?? -1;
  },
};

function startTimeline() {
  const all = report.operations;
  const canvas = find("timeline");
  canvas.setAttribute("aria-label", `${plural(all.total, "operation")} of ${plural(report.clients, "client")} over time: arrows move, plus and minus zoom`);
  outcomeLegend("timeline-legend");
  navigate(canvas, (event) => {
    const i = timeline.hit(event.offsetX, event.offsetY);
    tip(event, i < 0 ? "" : operationInWords(i));
  }, (event) => {
    const i = timeline.hit(event.offsetX, event.offsetY);
    if (i >= 0) showOperation(i);
  });
}
