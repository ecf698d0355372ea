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
  find("latency").setAttribute("aria-label", `Latencies of ${plural(all.total, "operation")} over ${grouped(end)} s, up to ${grouped(most)} ms; arrows go from one to the next, Enter shows it in the diagram`);
  if (count < all.total) {
    find("latency-note").textContent =
      `Showing ${grouped(count)} of ${grouped(all.total)} operations: the first ones, then one where several would overlap.`;
  }
  const under = (event) => {
    let [best, nearest] = [100, -1];
    for (let i = 0; i < count; i += 1) {
      const [dx, dy] = [plane.atX(all.start_us[i] / 1e6) - event.offsetX, plane.atY(all.took_us[i] / 1000) - event.offsetY];
      if (dx * dx + dy * dy < best) [best, nearest] = [dx * dx + dy * dy, i];
    }
    return nearest;
  };
  const mark = (i) => [plane.atX(all.start_us[i] / 1e6), plane.atY(all.took_us[i] / 1000)];
  pickable(plane.canvas, { count, under, mark, tell: operationInWords, open: (i) => loaded.then(() => showOperation(i)) });
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
