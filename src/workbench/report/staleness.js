// How long it took until every read saw a value, as a distribution.
function stalenessChart() {
  const latencies = report.staleness_ms;
  find("staleness-section").hidden = latencies.length === 0;
  if (latencies.length === 0) return;
  const limits = report.challenged ? report.challenges : [];
  const most = latencies[latencies.length - 1];
  // Limits far beyond the values have only a label, at the edge.
  const marks = limits.flatMap(([name, { median_ms, max_ms }], index) =>
    [["median", median_ms], ["maximum", max_ms]].map(([what, at]) => ({ name, what, at, index })));
  const reach = Math.max(most, ...marks.map(({ at }) => at).filter((at) => at <= 1.5 * Math.max(most, 400)), 10);
  const bins = 60;
  const width = (reach * 1.04) / bins;
  const counts = new Array(bins).fill(0);
  for (const latency of latencies) counts[Math.min(Math.floor(latency / width), bins - 1)] += 1;
  const high = Math.max(...counts);
  const plane = new Plane(find("staleness"), {
    // As high as the chart beside it.
    height: Math.max(300, Math.min(find("matrix").clientHeight, 560)), x: [0, reach * 1.04], y: [0, high * 1.25], xTitle: "milliseconds until every read saw the value", yTitle: "values",
  });
  onRedraw(() => {
    const context = plane.begin();
    context.fillStyle = colour("ok");
    counts.forEach((count, bin) => {
      const [left, right] = [plane.atX(bin * width), plane.atX((bin + 1) * width)];
      const top = count > 0 ? Math.min(plane.atY(count), plane.bottom - 1.5) : plane.bottom;
      context.fillRect(left + 0.5, top, Math.max(right - left - 1, 1), plane.bottom - top);
    });
    marks.forEach(({ name, what, at, index }, row) => {
      context.strokeStyle = context.fillStyle = seriesColour(index + 1);
      const inside = at <= plane.x[1];
      const x = inside ? plane.atX(at) : plane.right;
      context.setLineDash(what === "median" ? [2, 3] : [7, 4]);
      context.lineWidth = inside ? 1.5 : 0;
      if (inside) segment(context, x, MARGIN.top, x, plane.bottom);
      context.setLineDash([]);
      const text = `${name} ${what} < ${at}${inside ? "" : " →"}`;
      const width = context.measureText(text).width;
      const left = x + 5 + width < plane.right ? x + 5 : x - 5 - width;
      const y = MARGIN.top + 11 + row * 15;
      context.textAlign = "left";
      const paint = context.fillStyle;
      context.fillStyle = colour("card");
      context.fillRect(left - 2, y - 7, width + 4, 14);
      context.fillStyle = paint;
      context.fillText(text, left, y);
    });
    const median = plane.atX(latencies[Math.floor(latencies.length / 2)]);
    context.fillStyle = colour("ink");
    context.beginPath();
    polygon(context, [[median - 5, plane.bottom + 6], [median + 5, plane.bottom + 6], [median, plane.bottom]]);
    context.fill();
  });
  const at = (quantile) => latencies[Math.min(Math.floor(latencies.length * quantile), latencies.length - 1)];
  legend("staleness-legend", [["values", "ok"]]);
  find("staleness-legend").append(make("span", {}, `▲ median ${at(0.5)} ms, 95 % ${at(0.95)} ms, maximum ${most} ms`));
  find("staleness").setAttribute("aria-label", `Staleness of ${plural(latencies.length, "value")}: median ${at(0.5)} ms, maximum ${most} ms; arrows go from bar to bar, Enter shows the latest value of one in the diagram`);
  // A bar leads to the journey of the value that was the latest in it.
  const latest = (bin) => report.stale_values[lowerBound(latencies, (bin + 1) * width) - 1];
  const filled = [...counts.keys()].filter((bin) => counts[bin] > 0);
  pickable(plane.canvas, {
    count: filled.length,
    under: (event) => filled.indexOf(Math.floor(plane.xAt(event.offsetX) / width)),
    tell: (bar) => {
      const bin = filled[bar];
      return `${plural(counts[bin], "value")} from ${Math.round(bin * width)} to ${Math.round((bin + 1) * width)} ms, the latest ${latest(bin)}`;
    },
    mark: (bar) => [plane.atX((filled[bar] + 0.5) * width), plane.atY(counts[filled[bar]])],
    open: (bar) => search("value", latest(filled[bar])),
  });
}
