// The message that is selected: what became of it, and its body.

/** Shows a message below the diagram; -1 shows none. */
async function describe(i) {
  const panel = find("message");
  panel.hidden = i < 0;
  if (i < 0) return;
  panel.querySelector("h3").textContent = `${route(i)}: ${messages.types[messages.kind[i]]}`;
  const facts = [["message", messages.id[i]], ["sent", seconds(messages.sent[i])], ["fate", fateInWords(i)]];
  const copy = messages.again.get(i);
  if (copy) facts.push(["second copy", fateInWords(i, copy)]);
  const body = (await bodies())[i];
  if (diagram.selected !== i) return;
  const whole = messages.cut.get(i);
  if (whole) facts.push(["body", `the first ${grouped(body.length)} characters of ${grouped(whole)} bytes`]);
  panel.querySelector("dl").replaceChildren(...define(facts));
  panel.querySelector("pre").textContent = whole ? `${body}…` : pretty(body);
}

/** Indents JSON, if that does not change it; lists of scalars stay on one line. Other text is returned unchanged. */
function pretty(text) {
  try {
    const parsed = JSON.parse(text);
    const bare = (json) => json.replace(/\s/g, "");
    if (bare(JSON.stringify(parsed)) !== bare(text)) return text;
    return JSON.stringify(parsed, null, 2)
      .replace(/\[\n\s+([^[\]{}]*?)\n\s+\]/g, (_, inner) => `[${inner.replace(/\n\s+/g, " ")}]`);
  } catch {
    return text;
  }
}
