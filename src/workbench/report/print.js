// Paper is light, whatever the screen is, and has no time for lines that come later.

let printing = false;
function toPaper(begins) {
  printing = begins;
  document.documentElement.classList.toggle("printing", begins);
  redrawNow();
}
addEventListener("beforeprint", () => toPaper(true));
addEventListener("afterprint", () => toPaper(false));
