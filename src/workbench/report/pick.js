// Charts whose points lead to the diagram: by a click, or with the keyboard.

/** Lets people choose one of `count` points: with the pointer, as `under` finds it, or with arrows and Enter. */
function pickable(canvas, { count, under, tell, mark, open }) {
  canvas.tabIndex = 0;
  let picked = -1;
  canvas.addEventListener("click", (event) => {
    const point = under(event);
    if (point >= 0) open(point);
  });
  tellUnderPointer(canvas, (event) => {
    const point = under(event);
    canvas.style.cursor = point < 0 ? "" : "pointer";
    return point < 0 ? "" : `${tell(point)}\nclick: show it in the diagram`;
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -count, End: count }[event.key];
    if (event.key === "Enter" && picked >= 0) open(picked);
    if (by === undefined) return;
    event.preventDefault();
    picked = Math.min(Math.max(picked + by, 0), count - 1);
    find("spoken").textContent = tell(picked);
    const [x, y] = mark(picked);
    const box = canvas.getBoundingClientRect();
    tip({ clientX: box.left + x, clientY: box.top + y }, tell(picked));
  });
  canvas.addEventListener("blur", (event) => tip(event, ""));
}
