// The lanes of the diagram: each node, the clients that talk to it below it, the services, and any other client.

const nodeNames = report.lanes.slice(1, 1 + report.nodes);
const serviceNames = report.lanes.slice(1 + report.nodes);

/** Threads are assigned to nodes in turn; a thread that lost its client goes on with another. */
const lanes = [
  ...nodeNames.flatMap((name, node) => [
    { name, kind: "node" },
    ...[...Array(report.clients).keys()].filter((thread) => thread % report.nodes === node)
      .map((thread) => ({ name: `client ${thread}`, kind: "client", thread })),
  ]),
  ...serviceNames.map((name) => ({ name, kind: "service" })),
  { name: "other clients", kind: "client", thread: -1 },
];

const laneOfName = new Map(lanes.map(({ name }, lane) => [name, lane]));
const threadOfClient = new Map(report.threads.map(([client, thread]) => [`c${client}`, thread]));

/** The lane of a node, a service, or a client such as c5. */
function laneNamed(name) {
  const own = laneOfName.get(name);
  if (own !== undefined) return own;
  return laneOfName.get(`client ${threadOfClient.get(name)}`) ?? lanes.length - 1;
}

const isClient = (lane) => lanes[lane].kind === "client";

/** The lanes of each message's ends; set once the messages are there. */
const ends = { src: [], dest: [] };
function assignLanes() {
  const of = messages.names.map(laneNamed);
  ends.src = messages.src.map((name) => of[name]);
  ends.dest = messages.dest.map((name) => of[name]);
}
const hasClient = (i) => isClient(ends.src[i]) || isClient(ends.dest[i]);
