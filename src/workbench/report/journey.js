// A journey: an explanation, an operation or a value, whose messages are in colour while all others are grey.

/** The operations with either of these indices in the history; -1 if there is none. */
function operationAt(index) {
  const { begun, ended } = report.operations;
  return begun.findIndex((first, i) => first === index || ended[i] === index);
}

/** The messages between a client and its node in the time of an operation. */
function exchange(operation) {
  const { process, start_us, took_us } = report.operations;
  const lane = laneOfName.get(`client ${process[operation] % report.clients}`);
  const [from, to] = [start_us[operation], start_us[operation] + took_us[operation]];
  const found = [];
  for (let i = lowerBound(messages.sent, from); i < messages.count && messages.sent[i] <= to; i += 1) {
    if (ends.src[i] === lane || ends.dest[i] === lane) found.push(i);
  }
  return found;
}

/** The messages of a step: those that it names, and those of its operation. */
function messagesOf({ messages: ids = [], op }) {
  const named = ids.map((id) => messages.byId.get(id)).filter((i) => i !== undefined);
  const operation = op === undefined ? -1 : operationAt(op);
  return operation < 0 ? named : [...named, ...exchange(operation)];
}

/** Shows a journey: `steps` and `hints` as explanations have them, and messages that no step names. */
function showJourney({ title, steps, hints = [], others = [] }) {
  const found = new Set([...steps.flatMap(messagesOf), ...others]);
  diagram.journey = { messages: found, steps };
  diagram.selected = -1;
  describe(-1);
  const panel = find("journey");
  panel.hidden = false;
  panel.querySelector("h3").textContent = title;
  panel.querySelector("ol").replaceChildren(...steps.map(stepItem));
  const hint = ({ pattern, sentence }) => make("li", {}, make("strong", {}, pattern), `: ${sentence}`);
  panel.querySelector("ul").replaceChildren(...hints.map(hint));
  diagram.filter();
  showTimes(steps, [...found]);
  find("diagram-section").scrollIntoView({ block: "start" });
  panel.querySelector("h3").focus({ preventScroll: true });
}

function stepItem(step) {
  const when = step.time_us === undefined ? "" : seconds(step.time_us);
  const button = make("button", { type: "button" }, make("span", { class: "time" }, when), step.sentence);
  button.addEventListener("click", () => {
    const own = messagesOf(step);
    showTimes([step], own);
    if (own.length > 0) diagram.select(own[0]);
  });
  return make("li", {}, button);
}

/** Shows the time of steps and messages, with some room around them. */
function showTimes(steps, found) {
  const times = steps.map(({ time_us }) => time_us).filter((time) => time !== undefined);
  for (const i of found) times.push(messages.sent[i], messages.until[i]);
  if (times.length === 0) return;
  const [from, to] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))];
  const room = Math.max((to - from) * 0.06, 2000);
  diagram.show(from - room, to + room);
}

/** Returns to all messages in colour. */
function closeJourney() {
  if (!diagram.journey) return;
  diagram.journey = null;
  find("journey").hidden = true;
  diagram.filter();
}

/** Draws the messages of the journey above the grey ones, why they were dropped, and the numbers of the steps. */
function drawJourney(context) {
  const { messages: found, steps } = diagram.journey;
  const isInView = (i) => messages.sent[i] <= diagram.to && messages.until[i] >= diagram.from;
  const drawn = [...found].filter((i) => diagram.isDrawn(i) && isInView(i));
  for (const i of drawn) {
    context.lineWidth = 2;
    drawMessage(context, i, seriesColour(messages.rank[messages.kind[i]]));
  }
  if (diagram.pitch >= 12) drawReasons(context, drawn);
  const taken = new Map();
  steps.forEach(({ time_us: time, node }, number) => {
    const lane = laneOfName.get(node);
    if (time === undefined || !diagram.row.has(lane) || time < diagram.from || time > diagram.to) return;
    const [x, y] = [diagram.x(time), diagram.y(lane)];
    const spot = `${lane} ${Math.round(x / 16)}`;
    taken.set(spot, (taken.get(spot) ?? -1) + 1);
    stepMark(context, Math.min(x + 17 * taken.get(spot), diagram.width - 9), y, number + 1);
  });
}

/** Writes why messages were dropped, once for each place: attempts that were repeated would overlap. */
function drawReasons(context, drawn) {
  const written = [];
  const few = drawn.length <= FEW;
  for (const i of drawn) {
    if (wasDelivered(i)) {
      if (few) diagram.label(context, i, messages.types[messages.kind[i]]);
      continue;
    }
    const [, , x, y] = diagram.ends(i);
    const text = fateInWords(i);
    const width = context.measureText(text).width;
    const left = x + 8 + width < diagram.width ? x + 8 : x - 8 - width;
    if (written.some(([a, b, c]) => Math.abs(b - y) < 14 && a < left + width && left < a + c)) continue;
    written.push([left, y, width]);
    shade(context, "card", 0.85, left - 2, y - 8, width + 4, 16);
    context.textAlign = "left";
    context.fillStyle = colour("bad");
    context.fillText(text, left, y);
  }
}

function stepMark(context, x, y, number) {
  context.fillStyle = colour("ink");
  context.beginPath();
  context.arc(x, y, 8, 0, 7);
  context.fill();
  context.fillStyle = colour("card");
  context.textAlign = "center";
  context.fillText(String(number), x, y);
}

/** An operation as a journey: its request, what became of it, and its completion. */
function showOperation(operation) {
  const { names, name, outcome, start_us, took_us, begun, ended, process, value } = report.operations;
  const own = exchange(operation);
  const thread = process[operation] % report.clients;
  const [client, node] = [`client ${thread}`, nodeNames[thread % report.nodes]];
  const [start, took] = [start_us[operation], took_us[operation]];
  const steps = [
    { time_us: start, node: client,
      sentence: `Process ${process[operation]} invoked ${names[name[operation]]} (operation ${begun[operation]}).` },
    ...own.map((i) => ({ time_us: messages.sent[i], node: messages.names[messages.src[i]], messages: [messages.id[i]],
      sentence: `${route(i)}: ${messages.types[messages.kind[i]]} (message ${messages.id[i]}), ${fateInWords(i)}.` })),
  ];
  const index = ended[operation];
  if (index !== null) {
    steps.push({ time_us: start + took, node: client,
      sentence: `It was ${OUTCOMES[outcome[operation]]} after ${span(took)} (operation ${index}): ${value[operation]}` });
  } else {
    steps.push({ sentence: "It never completed." });
  }
  showJourney({ title: `${names[name[operation]]} at ${node}, operation ${begun[operation]}`, steps });
}

/** Lists what went wrong, a sentence each; a click shows the journey. */
function listExplanations() {
  const items = report.explanations.map((explanation) => {
    const button = make("button", { type: "button" }, make("strong", {}, explanation.anomaly), ` ${explanation.title}`);
    button.addEventListener("click", () => loaded.then(() => showJourney(explanation)));
    return make("li", {}, button);
  });
  find("explanations").replaceChildren(...items);
  if (report.unexplained > 0) find("unexplained").textContent = `${grouped(report.unexplained)} more: gloomers explain.`;
}
