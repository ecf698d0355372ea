// The texts and metrics of the page, and its start.
const results = report.results ?? {};

function header() {
  const word = { none: "no verdict" }[report.verdict] ?? report.verdict;
  document.title = `${report.workload}: ${word}`;
  find("workload").textContent = report.workload;
  find("verdict").textContent = word;
  find("verdict").className = report.verdict;
  find("setting").replaceChildren(...define(report.setting));
  find("remarks").hidden = report.remarks.length + report.explanations.length === 0;
  find("remarks").querySelector("pre").textContent = report.remarks.join("\n");
  if (!find("remarks").hidden) find("verdict").href = "#remarks";
  find("files").replaceChildren(...report.files.map((name) => make("a", { href: name.split("/").map(encodeURIComponent).join("/") }, name.replace("node-logs/", ""))));
  listExplanations();
  find("results").hidden = report.results === null;
  find("results").querySelector("pre").textContent = JSON.stringify(results, null, 2);
}

function figures() {
  const { stats, net, workload, availability } = results;
  const latencies = workload?.["stable-latencies"];
  const all = [
    ["ok-count", stats?.["ok-count"], "operations succeeded"],
    ["fail-count", stats?.["fail-count"], "failed"],
    ["info-count", stats?.["info-count"], "indeterminate"],
    ["ok-fraction", availability?.["ok-fraction"], "of all operations succeeded"],
    ["msgs-per-op", net?.servers?.["msgs-per-op"], "server messages per operation"],
    ["msg-count", net?.all?.["msg-count"], "messages in all"],
    ["stable-median", latencies?.["0.5"], "ms stable latency, median"],
    ["stable-max", latencies?.["1"], "ms stable latency, maximum"],
  ];
  const figure = ([id, value, what]) => {
    const strong = make("strong", { "data-figure": id, title: String(value) },
      id === "ok-fraction" ? `${grouped(value * 100)} %` : grouped(value));
    return make("div", {}, strong, make("span", {}, what));
  };
  const known = all.filter(([, value]) => typeof value === "number");
  find("figures").hidden = known.length === 0;
  find("figures").replaceChildren(...known.map(figure));
}

function limits() {
  find("limits").hidden = !report.challenged || report.results === null;
  if (find("limits").hidden) return;
  const latencies = results.workload?.["stable-latencies"] ?? {};
  const measured = [results.net?.servers?.["msgs-per-op"], latencies["0.5"], latencies["1"]];
  const row = ([name, { msgs_per_op, median_ms, max_ms }]) => {
    const bounds = [msgs_per_op, median_ms, max_ms];
    const met = bounds.map((bound, index) => measured[index] < bound);
    const cell = (bound, index) =>
      make("td", { class: met[index] ? "good" : "bad" }, `${measured[index] === undefined ? "?" : grouped(measured[index])} ${met[index] ? "<" : "≥"} ${bound}`);
    const all = met.every(Boolean);
    return make("tr", {}, make("td", {}, name), ...bounds.map(cell), make("td", { class: all ? "good" : "bad" }, all ? "met" : "not met"));
  };
  find("limits").querySelector("tbody").replaceChildren(...report.challenges.map(row));
}

/** The diagram needs the messages, which take the longest: all else is shown first. */
async function start() {
  header();
  figures();
  limits();
  latencyChart();
  quantilesChart();
  rateChart();
  matrixChart();
  stalenessChart();
  offerSaving();
  startSearch();
  for (const canvas of document.querySelectorAll("canvas")) canvas.addEventListener("pointerleave", (event) => tip(event, ""));
  await loadMessages();
  startDiagram();
  startNavigation();
  startTimeline();
  performance.mark("ready");
  // Search should not have to wait.
  requestIdleCallback(bodies);
}

/** Fulfilled when everything is shown. */
const loaded = start();
