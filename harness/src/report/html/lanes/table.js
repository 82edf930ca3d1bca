// What the picture shows, as text: tooltip, legend, and the table of a lane. Everything is put into the page as text.

/** An element with a class and text. */
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Fills the tooltip with a process. */
function describeBar(tooltip, data, lane, bar) {
  const facts = factsOf(data, lane, bar);
  const kind = lane.kind === "other" && kindOf(data, bar) === "good" ? "other" : kindOf(data, bar);
  const title = element("p", "lanes-tip-title");
  title.append(element("b", "", `pid ${facts.pid}`), ` ${facts.role}`);
  if (facts["host pid"] !== "unknown" && facts["host pid"] !== facts.pid) title.append(`, ${facts["host pid"]} on the host`);
  const bin = element("p", `lanes-tip-bin lanes-is-${kind}`, facts.bin);
  const list = element("dl");
  if (lane.kind === "session") list.append(element("dt", "", "session"), element("dd", "", `${lane.name}, ${courseOf(data, lane)}`));
  for (const name of ["there", "signals", "end of stdin", "RSS", "command"]) {
    list.append(element("dt", "", name), element("dd", name === "command" ? "lanes-command" : "", facts[name]));
  }
  tooltip.replaceChildren(title, bin, list);
}

/** Fills the tooltip with a lane. */
function describeLane(tooltip, data, lane) {
  const title = element("p", "lanes-tip-title");
  title.append(element("b", "", lane.name));
  const course = lane.kind === "session" ? `${courseOf(data, lane)}, ` : "";
  const found = findingsOf(lane);
  const summary = element("p", "", `${course}${counted(lane.count, "process")}`);
  tooltip.replaceChildren(title, summary);
  if (found !== "") tooltip.append(element("p", `lanes-tip-bin lanes-is-${lane.over > 0 ? "over" : lane.killed > 0 ? "killed" : "doubt"}`, found));
}

/** A lane in one sentence, for those who hear the page. */
function sentenceOf(data, lane) {
  if (lane.kind === "fold") return `${lane.name}; Enter ${lane.open ? "folds" : "unfolds"} them`;
  if (lane.kind === "other") return `${lane.name}: ${fateOf(data, lane, lane.first)}`;
  const found = findingsOf(lane);
  return `Session ${lane.name}, ${courseOf(data, lane)}, ${counted(lane.count, "process")}${found === "" ? "" : `: ${found}`}`;
}

/** Fills the details with the table of a lane's processes. */
function tabulate(details, data, lane) {
  const heading = element("h3", "", lane.kind === "session" ? `Session ${lane.name}` : lane.name);
  heading.tabIndex = -1;
  const parts = [heading];
  if (lane.kind === "session") {
    const found = findingsOf(lane);
    const course = courseOf(data, lane);
    parts.push(element("p", "", `${course[0].toUpperCase()}${course.slice(1)}${found === "" ? "" : `: ${found}`}.`));
  }
  if (lane.count > 0) {
    const table = element("table");
    table.append(element("caption", "lanes-heard", `Processes of ${lane.name}`));
    const head = element("tr");
    const body = element("tbody");
    for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) {
      const row = element("tr");
      for (const [name, value] of Object.entries(factsOf(data, lane, bar))) {
        if (bar === lane.first) {
          const cell = element("th", "", name);
          cell.scope = "col";
          head.append(cell);
        }
        const kind = name === "bin" ? `lanes-is-${kindOf(data, bar)}` : name === "command" ? "lanes-command" : "";
        row.append(element("td", kind, value));
      }
      body.append(row);
    }
    const top = element("thead");
    top.append(head);
    table.append(top, body);
    const wide = element("div", "lanes-wide");
    wide.tabIndex = 0;
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", `Processes of ${lane.name}`);
    wide.append(table);
    parts.push(wide);
  } else parts.push(element("p", "", "No process of it was seen."));
  details.replaceChildren(...parts);
  details.hidden = false;
}

/** What colours and shapes mean. */
function legend(data) {
  const list = element("ul", "lanes-legend");
  list.setAttribute("aria-label", "Legend");
  const swatch = (className, words) => {
    const item = element("li");
    item.append(element("span", `lanes-swatch ${className}`), words);
    list.append(item);
  };
  const kinds = new Set(data.bars.fate.map((fate) => data.fates[fate].kind));
  swatch("lanes-working", "serves its open session");
  swatch("lanes-grace", "its session ended, grace runs");
  swatch("lanes-over", "outlives it");
  if (data.bars.fate.some((fate) => data.fates[fate].name === "zombie")) swatch("lanes-over lanes-hatched", "dead, not waited for");
  if (kinds.has("killed")) swatch("lanes-killed", "ended before its time");
  if (kinds.has("doubt")) swatch("lanes-doubt", "undecided");
  if (kinds.has("other") || data.others.length > 0) swatch("lanes-other", "serves no session, or meant to live");
  const shape = (name, words) => {
    const space = "http://www.w3.org/2000/svg";
    const image = document.createElementNS(space, "svg");
    image.setAttribute("viewBox", "-7 -7 14 14");
    image.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", SHAPES[name].path);
    path.setAttribute("class", SHAPES[name].fill ? "lanes-filled" : "lanes-drawn");
    image.append(path);
    const item = element("li");
    item.append(image, words);
    list.append(item);
  };
  if (data.bars.fate.some((fate) => data.fates[fate].kind === "over")) {
    const past = element("li");
    past.append(element("b", "lanes-is-over", "+1 s"), "by how long it outlives its session, grace included");
    list.append(past);
  }
  shape("open", "session opens");
  shape("end", "session ends");
  if (data.bars.eof.some((at) => at !== null)) shape("eof", "end of its stdin");
  if (data.marks.signal.some((signal, mark) => signal !== SIGKILL && !data.marks.ignored[mark])) shape("signal", "signal");
  if (data.marks.ignored.some((ignored) => ignored)) shape("ignored", "signal, ignored");
  if (kinds.has("killed") || data.marks.signal.includes(SIGKILL)) shape("kill", "killed");
  if (data.bars.died.some((died, bar) => died === null && data.bars.gone[bar] === null)) shape("there", "still there at the end");
  return list;
}
