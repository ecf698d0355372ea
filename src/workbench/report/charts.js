// Charts over time, the distribution of staleness, and the matrix.
const end = Math.max(report.end_us, 1) / 1e6;
const OUTCOMES = report.operations.outcomes;

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((round) => round >= value);
}

/** The marks of operations: the shape shows the function, the colour the outcome. */
const MARKS = [
  (context, x, y) => context.arc(x, y, 2.4, 0, 7),
  (context, x, y) => context.rect(x - 2.2, y - 2.2, 4.4, 4.4),
  (context, x, y) => polygon(context, [[x, y - 3.2], [x + 3, y + 2.4], [x - 3, y + 2.4]]),
  (context, x, y) => polygon(context, [[x, y - 3.4], [x + 3.4, y], [x, y + 3.4], [x - 3.4, y]]),
];
const MARK_NAMES = ["●", "■", "▲", "◆"];

function operationInWords(i) {
  const { names, name, outcome, took_us, start_us, process, value } = report.operations;
  return `${names[name[i]]} ${OUTCOMES[outcome[i]]}, ${span(took_us[i])}\n` +
    `at ${seconds(start_us[i])}, process ${process[i]}\n${value[i]}`;
}

function latencyChart() {
  const all = report.operations;
  const count = all.start_us.length;
  const most = all.took_us.reduce((most, took) => Math.max(most, took), 0) / 1000;
  const least = all.took_us.reduce((least, took) => (took > 0 ? Math.min(least, took) : least), Infinity) / 1000;
  const low = Number.isFinite(least) ? Math.max(10 ** Math.floor(Math.log10(least)), 0.01) : 0.01;
  const plane = new Plane(find("latency"), {
    height: 320, x: [0, end], y: [low, Math.max((most || 1) * (report.faults.length > 0 ? 4 : 1.4), low * 10)], log: true,
    xTitle: "seconds", yTitle: "milliseconds",
  });
  onRedraw(() => {
    const context = plane.begin();
    plane.faults(true);
    context.globalAlpha = count > 4000 ? 0.55 : 0.8;
    // Rare outcomes are drawn last.
    for (const outcome of OUTCOMES.keys()) {
      for (const name of all.names.keys()) {
        context.fillStyle = colour(OUTCOMES[outcome]);
        for (let i = 0; i < count; i += 1) {
          if (all.outcome[i] !== outcome || all.name[i] !== name) continue;
          context.beginPath();
          MARKS[name % MARKS.length](context, plane.atX(all.start_us[i] / 1e6), plane.atY(all.took_us[i] / 1000));
          context.fill();
        }
      }
    }
    context.globalAlpha = 1;
  });
  outcomeLegend("latency-legend");
  find("latency-legend").append(...all.names.map((name, index) => make("span", {}, `${MARK_NAMES[index % MARKS.length]} ${name}`)));
  find("latency").setAttribute("aria-label", `Latencies of ${plural(all.total, "operation")} over ${grouped(end)} s, up to ${grouped(most)} ms`);
  if (count < all.total) {
    find("latency-note").textContent =
      `Showing ${grouped(count)} of ${grouped(all.total)} operations: the first ones, then one where several would overlap.`;
  }
  tellUnderPointer(plane.canvas, (event) => {
    let [best, nearest] = [100, -1];
    for (let i = 0; i < count; i += 1) {
      const [dx, dy] = [plane.atX(all.start_us[i] / 1e6) - event.offsetX, plane.atY(all.took_us[i] / 1000) - event.offsetY];
      if (dx * dx + dy * dy < best) [best, nearest] = [dx * dx + dy * dy, i];
    }
    return nearest < 0 ? "" : operationInWords(nearest);
  });
}

/** The colours of the outcomes that there are. */
function outcomeLegend(id) {
  const outcomes = OUTCOMES.filter((_, index) => report.operations.outcome.includes(index));
  legend(id, outcomes.map((outcome) => [outcome, outcome]));
}

function quantilesChart() {
  const { levels, window_us, values } = report.quantiles;
  const most = Math.max(...values.flatMap((row) => (row ? row : [0]))) / 1000;
  const plane = new Plane(find("quantiles"), {
    height: 250, x: [0, end], y: [0, roundUp(most * 1.02 || 1)], xTitle: "seconds", yTitle: "milliseconds",
  });
  const names = levels.map((quantile) => (quantile === 1 ? "maximum" : quantile === 0.5 ? "median" : `${quantile * 100} %`));
  onRedraw(() => {
    plane.begin();
    plane.faults(false);
    for (const index of [...levels.keys()].reverse()) {
      const point = (row, window) => row && [Math.min(((window + 0.5) * window_us) / 1e6, end), row[index] / 1000];
      plane.line(values.map(point), seriesColour(index));
    }
  });
  legend("quantiles-legend", names.map((name, index) => [name, `c${index}`]));
  find("quantiles").setAttribute("aria-label", `Quantiles of latency in windows of ${window_us / 1e6} s, up to ${grouped(most)} ms`);
  windowTips(plane, window_us, (window) => values[window] && names.map((name, i) => `${name} ${span(values[window][i])}`).join("\n"));
}

function rateChart() {
  const { window_us, values } = report.rates;
  const names = report.operations.names;
  // The last window is incomplete, so its rate would be too low.
  const whole = values.length > 1 ? values.slice(0, -1) : values;
  const series = names.flatMap((name, n) => OUTCOMES.map((outcome, o) => ({ name, outcome, n, o })))
    .filter(({ n, o }) => values.some((row) => row[n][o] > 0));
  const most = Math.max(0, ...values.flatMap((row) => series.map(({ n, o }) => row[n][o])));
  const plane = new Plane(find("rate"), {
    height: 250, x: [0, end], y: [0, roundUp(most * 1.05 || 1)], xTitle: "seconds", yTitle: "a second",
  });
  onRedraw(() => {
    plane.begin();
    plane.faults(false);
    series.forEach(({ n, o }, index) => {
      plane.line(whole.map((row, window) => [((window + 0.5) * window_us) / 1e6, row[n][o]]), seriesColour(index));
    });
  });
  legend("rate-legend", series.map(({ name, outcome }, index) => [`${name} ${outcome}`, index < SERIES ? `c${index}` : "soft"]));
  find("rate").setAttribute("aria-label", `Operations a second in windows of ${window_us / 1e6} s, up to ${grouped(most)}`);
  windowTips(plane, window_us, (window) =>
    values[window] && series.map(({ name, outcome, n, o }) => `${name} ${outcome} ${grouped(values[window][n][o])}/s`).join("\n"));
}

/** Shows a tooltip for the window under the pointer. */
function windowTips(plane, window_us, tell) {
  tellUnderPointer(plane.canvas, (event) => {
    const at = plane.xAt(event.offsetX);
    const window = Math.floor((at * 1e6) / window_us);
    const text = at >= 0 && at <= end && tell(window);
    return text ? `from ${grouped((window * window_us) / 1e6)} s\n${text}` : "";
  });
}

function stalenessChart() {
  const latencies = report.staleness_ms;
  find("staleness-section").hidden = latencies.length === 0;
  if (latencies.length === 0) return;
  const limits = report.workload === "broadcast" ? report.challenges : [];
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
  find("staleness").setAttribute("aria-label", `Staleness of ${plural(latencies.length, "value")}: median ${at(0.5)} ms, maximum ${most} ms`);
  tellUnderPointer(plane.canvas, (event) => {
    const bin = Math.floor(plane.xAt(event.offsetX) / width);
    return counts[bin] ? `${plural(counts[bin], "value")} from ${Math.round(bin * width)} to ${Math.round((bin + 1) * width)} ms` : "";
  });
}

function matrixChart() {
  const { lanes, links } = report;
  const canvas = find("matrix");
  const count = lanes.length;
  const most = links.cells.reduce((most, [, , count]) => Math.max(most, count), 1);
  const counts = new Map(links.cells.map(([from, to, count]) => [from * lanes.length + to, count]));
  let cell = 0;
  let edge = 0;
  onRedraw(() => {
    const room = canvas.parentElement.clientWidth;
    const measure = canvas.getContext("2d");
    measure.font = `12px ${FONT}`;
    const longest = Math.max(...lanes.map((lane) => measure.measureText(lane).width));
    edge = Math.ceil(Math.min(longest, 90)) + 8;
    cell = Math.max(2, Math.min(44, Math.floor((Math.min(room, 640) - edge - 4) / count)));
    const size = edge + cell * count + 2;
    canvas.style.width = `${size}px`;
    const context = prepare(canvas, size, size);
    context.textBaseline = "middle";
    const every = Math.ceil(12 / cell);
    lanes.forEach((lane, index) => {
      if (index % every) return;
      const middle = edge + (index + 0.5) * cell;
      context.fillStyle = colour("soft");
      context.textAlign = "right";
      context.fillText(lane, edge - 5, middle, edge - 8);
      context.textAlign = "left";
      fillUpright(context, lane, middle, edge - 5, edge - 8);
    });
    context.fillStyle = colour("grid");
    context.fillRect(edge, edge, cell * count, cell * count);
    const gap = cell > 6 ? 1 : 0;
    context.textAlign = "center";
    for (const [from, to, count] of links.cells) {
      const share = Math.log1p(count) / Math.log1p(most);
      context.fillStyle = `rgb(${colour("heat")} / ${0.12 + 0.88 * share})`;
      context.fillRect(edge + to * cell, edge + from * cell, cell - gap, cell - gap);
      const text = count < 10000 ? String(count) : `${Math.round(count / 1000)}k`;
      if (context.measureText(text).width < cell - 5) {
        context.fillStyle = share > 0.55 ? colour("card") : colour("ink");
        context.fillText(text, edge + (to + 0.5) * cell, edge + (from + 0.5) * cell);
      }
    }
  });
  const total = links.cells.reduce((sum, [, , count]) => sum + count, 0);
  canvas.setAttribute("aria-label", `${plural(total, "message")} over ${plural(links.total, "link")}, at most ${grouped(most)} over one`);
  if (links.cells.length < links.total) {
    find("matrix-note").textContent = `Showing the ${grouped(links.cells.length)} busiest of ${grouped(links.total)} links.`;
  }
  tellUnderPointer(canvas, (event) => {
    const [to, from] = [event.offsetX, event.offsetY].map((at) => Math.floor((at - edge) / cell));
    const inside = Math.min(from, to) >= 0 && Math.max(from, to) < count;
    return inside ? `${lanes[from]} → ${lanes[to]}: ${plural(counts.get(from * count + to) ?? 0, "message")}` : "";
  });
  const busiest = [...links.cells].sort((a, b) => b[2] - a[2]).slice(0, 12);
  const row = ([from, to, count]) => make("tr", {}, ...[lanes[from], lanes[to], grouped(count)].map((text) => make("td", {}, text)));
  find("links").tBodies[0].replaceChildren(...busiest.map(row));
}
