// Search by value, by the number of a message, or by the index of an operation.

/** Members of a body that are of the protocol and not of the program. */
const ENVELOPE = ["type", "msg_id", "in_reply_to"];

/** Whether a value stands anywhere in a body, as a number, a string or a key. */
function carries(body, value) {
  const inside = (part) => {
    if (part === null || typeof part !== "object") return part === value;
    if (Array.isArray(part)) return part.some(inside);
    return Object.entries(part).some(([key, member]) => key === String(value) || inside(member));
  };
  return Object.entries(body).some(([key, member]) => !ENVELOPE.includes(key) && inside(member));
}

/** A value as people type it: JSON, or text. */
function typed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The messages that carry a value. Of a body that is cut only the beginning is known, as text. */
async function carriers(value) {
  const text = String(value);
  const word = new RegExp(`(^|[^\\w.])${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[^\\w.])`);
  const all = await bodies();
  const found = [];
  for (let i = 0; i < messages.count; i += 1) {
    if (!all[i].includes(text)) continue;
    const body = messages.cut.has(i) ? null : typed(all[i]);
    if (body ? carries(body, value) : word.test(all[i])) found.push(i);
  }
  return found;
}

/** The first message that brought each participant the value, as steps. */
function arrivals(found) {
  const had = new Set(found.slice(0, 1).map((i) => ends.src[i]));
  const steps = [];
  const delivered = found.filter(wasDelivered).sort((a, b) => messages.sent[a] + messages.took[a] - messages.sent[b] - messages.took[b]);
  for (const i of delivered) {
    if (had.has(ends.dest[i]) || isClient(ends.dest[i])) continue;
    had.add(ends.dest[i]);
    steps.push({ time_us: messages.sent[i] + messages.took[i], node: messages.names[messages.dest[i]], messages: [messages.id[i]],
      sentence: `${messages.names[messages.dest[i]]} was first sent it by ${messages.names[messages.src[i]]} (message ${messages.id[i]}).` });
  }
  return steps;
}

const SEARCHES = {
  async value(text) {
    const found = await carriers(typed(text));
    if (found.length === 0) return `No message carries ${text}.`;
    const dropped = found.filter((i) => !wasDelivered(i)).length;
    const outcome = `${plural(found.length, "message")} with ${text}${dropped > 0 ? `, ${dropped} not delivered` : ""}`;
    showJourney({ title: outcome, steps: arrivals(found), others: found });
    return `${outcome}.`;
  },

  message(text) {
    const i = messages.byId.get(Number(text));
    if (i === undefined) return `No message has the number ${text}.`;
    closeJourney();
    if (hasClient(i) && !diagram.withClients) find("with-clients").click();
    diagram.reveal(i);
    find("diagram-section").scrollIntoView({ block: "start" });
    return `Message ${text}: ${route(i)}, ${fateInWords(i)}.`;
  },

  operation(text) {
    const operation = operationAt(Number(text));
    if (operation < 0) return `No operation of a client that is drawn has the index ${text}.`;
    showOperation(operation);
    return operationInWords(operation).replaceAll("\n", "; ");
  },
};

/** Searches, and says what was found. */
async function search(by, text) {
  await loaded;
  find("found").textContent = await SEARCHES[by](text.trim());
}

function startSearch() {
  find("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (find("wanted").value.trim()) search(find("search-by").value, find("wanted").value);
  });
}
