// The bar above the diagram: the number of messages over the whole run, and the part in view.
const OVERVIEW = 38;

const overview = {
  /** What the counts are of. */
  counted: null,
  counts: [],

  /** Counts messages in bins; again only if the filters or the width changed. */
  count(bins) {
    if (this.counted === diagram.chosen && this.counts.length === bins) return;
    this.counted = diagram.chosen;
    this.counts = new Array(bins).fill(0);
    const reach = diagram.last - diagram.first;
    for (const sent of diagram.chosenSent) {
      this.counts[Math.min(bins - 1, Math.floor(((sent - diagram.first) / reach) * bins))] += 1;
    }
  },
};

function drawOverview() {
  if (recording) return;
  const context = prepare(find("overview"), OVERVIEW);
  const { left: edge, width, first, last } = diagram;
  const bins = Math.max(1, Math.floor((width - edge) / 3));
  overview.count(bins);
  const high = overview.counts.reduce((high, count) => Math.max(high, count), 1);
  const at = (us) => edge + ((us - first) / (last - first)) * (width - edge);
  for (const [, , from, to] of report.faults) shade(context, "fault", 0.15, at(from), 0, at(to) - at(from), OVERVIEW);
  context.fillStyle = colour("soft");
  overview.counts.forEach((count, bin) => {
    const bar = Math.ceil((count / high) * (OVERVIEW - 6));
    context.fillRect(edge + (bin * (width - edge)) / bins, OVERVIEW - bar, 2, bar);
  });
  const [left, right] = [at(diagram.from), at(diagram.to)];
  shade(context, "accent", 0.16, left, 0, Math.max(right - left, 2), OVERVIEW);
  context.strokeStyle = colour("accent");
  context.lineWidth = 1.5;
  context.strokeRect(left, 0.75, Math.max(right - left, 2), OVERVIEW - 1.5);
}
