// How people move in the diagram: pointer, wheel, keys and buttons; and the filters.

/** Filter buttons; if none is pressed, everything passes. */
function chips(id, entries, pressed) {
  find(id).replaceChildren(...entries.map(([key, name, paint]) => {
    const chip = make("button", { type: "button", "aria-pressed": "false" }, name);
    if (paint !== undefined) {
      const dot = make("i", {});
      chip.prepend(dot);
      onRedraw(() => (dot.style.background = seriesColour(paint)));
    }
    chip.addEventListener("click", () => {
      const on = !pressed.has(key);
      if (on) pressed.add(key);
      else pressed.delete(key);
      chip.setAttribute("aria-pressed", String(on));
      diagram.filter();
    });
    return chip;
  }));
}

function startFilters() {
  const { types, byFrequency, frequency, rank } = messages;
  chips("types", byFrequency.map((kind) => [kind, `${types[kind]} ${grouped(frequency[kind])}`, rank[kind]]), diagram.types);
  const named = lanes.map(({ name }, lane) => [lane, name]).filter(([lane]) => !isClient(lane));
  chips("nodes", named, diagram.lanes);
  const pressed = String(diagram.withClients);
  const clients = make("button", { type: "button", "aria-pressed": pressed, id: "with-clients" }, "with clients");
  clients.addEventListener("click", () => {
    diagram.withClients = !diagram.withClients;
    clients.setAttribute("aria-pressed", String(diagram.withClients));
    diagram.filter();
  });
  find("nodes").prepend(clients);
}

/** Lets wheel and drag change the time span of a canvas; passes on other pointer movements, and clicks. */
function navigate(canvas, hover, click) {
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) diagram.pan(event.deltaX / 1000);
    else diagram.zoom(1.0015 ** event.deltaY, diagram.at(event.offsetX));
  }, { passive: false });

  let grip = null;
  canvas.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX, from: diagram.from, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return hover(event);
    grip.moved ||= Math.abs(event.clientX - grip.x) > 4;
    if (!grip.moved) return;
    canvas.classList.add("dragged");
    diagram.moveTo(grip.from + ((grip.x - event.clientX) / (diagram.width - diagram.left)) * diagram.span);
  });
  const release = () => {
    grip = null;
    canvas.classList.remove("dragged");
  };
  canvas.addEventListener("pointerup", (event) => {
    if (grip && !grip.moved) click(event);
    release();
  });
  canvas.addEventListener("pointercancel", release);
}

/** What keys do, in the diagram and in the rows of clients. */
const KEYS = {
  ArrowLeft: () => diagram.pan(-0.2), ArrowRight: () => diagram.pan(0.2),
  "+": () => diagram.zoom(0.5), "=": () => diagram.zoom(0.5), "-": () => diagram.zoom(2),
  0: () => diagram.show(diagram.first, diagram.last), Home: () => diagram.show(diagram.first, diagram.last),
  n: () => diagram.step(1), p: () => diagram.step(-1),
  Escape: () => (diagram.selected < 0 ? closeJourney() : diagram.select(-1)),
};

function onKeys(canvas) {
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}

function startNavigation() {
  const canvas = find("diagram");
  onClick("close-journey", closeJourney);
  onClick("zoom-in", () => diagram.zoom(0.5));
  onClick("zoom-out", () => diagram.zoom(2));
  onClick("zoom-all", () => diagram.show(diagram.first, diagram.last));
  onClick("next", () => diagram.step(1));
  onClick("previous", () => diagram.step(-1));
  navigate(canvas, (event) => {
    const near = diagram.hit(event.offsetX, event.offsetY);
    canvas.style.cursor = near < 0 ? "" : "pointer";
    tip(event, near < 0 ? "" : `${route(near)}: ${messages.types[messages.kind[near]]}\n${fateInWords(near)}`);
  }, (event) => diagram.select(diagram.hit(event.offsetX, event.offsetY)));
  onKeys(canvas);
  onKeys(find("timeline"));

  const bar = find("overview");
  const jump = (event) => {
    if (event.buttons === 0) return;
    const share = (event.offsetX - diagram.left) / (diagram.width - diagram.left);
    diagram.moveTo(diagram.first + share * (diagram.last - diagram.first) - diagram.span / 2);
  };
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    jump(event);
  });
  bar.addEventListener("pointermove", jump);
}
