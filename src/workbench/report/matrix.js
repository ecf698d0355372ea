// How many messages went from where to where.
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
