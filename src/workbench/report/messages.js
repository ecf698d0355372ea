// All messages in columns, in the order of sending, and what is known of each.

/** The columns, filled by `loadMessages`; times are in microseconds of the history. A copy of a message is under way for
 `took`, and `until` is when the last one no longer is. */
const messages = { count: 0, total: 0, names: [], types: [], fates: [] };

async function loadMessages() {
  const stored = JSON.parse(await unpack("messages"));
  const { total, names, types, fates } = stored;
  const count = stored.id.length;
  const sent = sums(stored.sent_us);
  Object.assign(messages, {
    count, total, names, types, fates, sent, id: sums(stored.id),
    src: Uint32Array.from(stored.src), dest: Uint32Array.from(stored.dest), kind: Uint32Array.from(stored.kind),
    took: Float64Array.from(stored.took_us), fate: Uint8Array.from(stored.fate),
    again: new Map(stored.again.map(([i, took, fate]) => [i, { took, fate }])),
    cut: new Map(stored.cut),
    byId: new Map(),
    until: new Float64Array(count),
    longest: 0,
  });
  for (let i = 0; i < count; i += 1) {
    messages.byId.set(messages.id[i], i);
    messages.until[i] = sent[i] + Math.max(messages.took[i], messages.again.get(i)?.took ?? 0);
    messages.longest = Math.max(messages.longest, messages.until[i] - sent[i]);
  }
  countTypes();
}

/** Most bytes of the page are bodies, and only search and the details of a message need them: they come later. */
let unpacking = null;
function bodies() {
  unpacking ??= unpack("bodies").then((text) => text.split("\n"));
  return unpacking;
}

/** Types by frequency: the frequent ones have colours of their own. */
function countTypes() {
  messages.frequency = messages.types.map(() => 0);
  for (const kind of messages.kind) messages.frequency[kind] += 1;
  messages.byFrequency = [...messages.types.keys()].sort((a, b) => messages.frequency[b] - messages.frequency[a] || a - b);
  messages.rank = [];
  messages.byFrequency.forEach((kind, rank) => (messages.rank[kind] = rank));
}

const fateName = (fate) => (fate === 0 ? "under way" : messages.fates[fate - 1]);
const wasDelivered = (i) => fateName(messages.fate[i]) === "delivered";

const route = (i) => `${messages.names[messages.src[i]]} → ${messages.names[messages.dest[i]]}`;

/** What became of one copy of a message, with the reason. */
function fateInWords(i, { took, fate } = { took: messages.took[i], fate: messages.fate[i] }) {
  const [src, dest] = [messages.names[messages.src[i]], messages.names[messages.dest[i]]];
  const at = messages.sent[i] + took;
  const name = fateName(fate);
  if (name === "delivered") return `delivered at ${seconds(at)}, after ${span(took)}`;
  if (name === "refused") return `dropped: ${shortName(cutBetween(src, dest, at))}`;
  if (name === "lost") return "dropped: lost at random";
  if (name === "discarded") return `dropped: ${dest} was dead until ${seconds(at)}`;
  if (name === "ignored") return `ignored: ${src} is muted`;
  return "still under way at the end";
}

/** `cut [n0 n3 | n1]` */
const shortName = (cut) => (cut ? cut.name.replace(/^the \w+/, "cut") : "its receiver was cut off from its sender");

/** The cut because of which `dest` refused `src` at this time. */
const cutBetween = (src, dest, at) =>
  report.cuts.find(({ from_us, to_us, refused }) => from_us <= at && at <= (to_us ?? Infinity) &&
    refused.some(([node, senders]) => node === dest && senders.includes(src)));
