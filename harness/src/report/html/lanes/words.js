// Moments, spans and facts in words.

/** A span as reports write it, with two units at the most: `6 h 21 min`, `12.3 s`, `250 ms`. */
function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  const parts = [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ];
  const [size, unit, next, small] = parts.find(([size]) => seconds >= size);
  return `${Math.floor(seconds / size)} ${unit} ${Math.floor((seconds % size) / next)} ${small}`;
}

/** A moment on the axis, as fine as the step between two of them; nothing is said that is nought. */
function tick(ms, step) {
  if (ms === 0) return "0";
  if (step < 1000 || ms < 60000) {
    const digits = step % 1000 === 0 ? 0 : step % 100 === 0 ? 1 : step % 10 === 0 ? 2 : 3;
    if (ms < 60000) return `${(ms / 1000).toFixed(digits)} s`;
    return `${Math.floor(ms / 60000)} min ${((ms % 60000) / 1000).toFixed(digits)} s`;
  }
  const seconds = Math.round(ms / 1000);
  const units = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor((seconds % 86400) / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "min"],
    [seconds % 60, "s"],
  ];
  return units
    .filter(([count]) => count > 0)
    .slice(0, 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** The distance between two ticks of an axis: the least that leaves each so many pixels. */
function tickStep(shown, width, pixels) {
  const least = (shown * pixels) / Math.max(1, width);
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];
  for (const second of [1, 2, 5, 10, 15, 30]) steps.push(second * 1000);
  for (const minute of [1, 2, 5, 10, 15, 30]) steps.push(minute * 60000);
  for (const hour of [1, 2, 3, 6, 12, 24, 48, 96, 240]) steps.push(hour * 3600000);
  return steps.find((step) => step >= least) ?? Math.ceil(least / 86400000) * 86400000;
}

/** A count with its noun. */
function counted(count, noun) {
  const irregular = { process: "processes" };
  const many = irregular[noun] ?? `${noun}s`;
  return `${count.toLocaleString("en")} ${count === 1 ? noun : many}`;
}

/** A size as reports write it. */
function size(kib) {
  for (const [unit, each] of [
    ["GiB", 1 << 20],
    ["MiB", 1 << 10],
  ]) {
    if (kib >= each) {
      const value = kib / each;
      return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
    }
  }
  return `${kib} KiB`;
}

/** When and how a session opened and ended. */
function courseOf(data, lane) {
  if (lane.opened === null) return "never opened";
  const opened = `opened at ${span(lane.opened)}`;
  const stalled = lane.stalled ? ", stalled" : "";
  if (lane.ended === null) return `${opened}, did not end${stalled}`;
  return `${opened}, ended at ${span(lane.ended)} (${lane.how})${stalled}`;
}

/** What was found of a lane, in a few words; nothing where nothing was. */
function findingsOf(lane) {
  const parts = [];
  if (lane.over > 0) {
    const what = lane.kind === "session" ? "its session" : "its worker";
    parts.push(`${counted(lane.over, "process")} ${lane.over === 1 ? "outlives" : "outlive"} ${what} by ${lane.over === 1 ? "" : "up to "}${span(lane.longest)}`);
  }
  if (lane.killed > 0) parts.push(`${counted(lane.killed, "process")} ended before ${lane.killed === 1 ? "its" : "their"} time`);
  if (lane.doubt > 0) parts.push(`${counted(lane.doubt, "process")} undecided`);
  if (lane.stalled) parts.push("the session stalled");
  return parts.join("; ");
}

/** The bin of a process, with what that means for this one. */
function fateOf(data, lane, bar) {
  const fate = data.fates[data.bars.fate[bar]];
  const name = fate.name.replace("_", " ");
  if (fate.kind !== "over") return `${name}: ${fate.meaning}`;
  const more = isThere(data, bar) ? "more than " : "";
  const past = Math.max(0, lastOf(data, bar) - dueOf(data, lane, bar));
  const beyond = data.bars.due[bar] !== null && lane.ended !== null && past > 0 ? `, ${span(past)} past its grace` : "";
  const what = lane.ended === null ? "outlives its time" : "outlives its session";
  return `${name}: ${what} by ${more}${span(outlivedBy(data, lane, bar))}${beyond}; ${fate.meaning}`;
}

/** From when to when a process was there. */
function lifeOf(data, bar) {
  const { first, died, gone } = data.bars;
  const from = `${span(first[bar])} to `;
  if (died[bar] === null) return isThere(data, bar) ? `${from}the end of the recording, still there` : `${from}${span(gone[bar])}`;
  const life = `${from}${span(died[bar])} (${span(Math.max(0, died[bar] - first[bar]))})`;
  if (gone[bar] === null) return isThere(data, bar) ? `${life}, never waited for` : life;
  const waited = gone[bar] - died[bar];
  return waited >= 100 ? `${life}, waited for ${span(waited)} later` : life;
}

/** The signals of a process with their senders. */
function signalsOf(data, bar) {
  const marks = data.marks;
  const words = [];
  for (let mark = data.bars.marks[bar]; mark < data.bars.marks[bar + 1]; mark += 1) {
    const sender = marks.sender[mark];
    let by = "sender unknown";
    if (marks.ours[mark]) by = "from the harness itself";
    else if (sender === 0) by = "from outside of the run";
    else if (sender !== null) by = `from pid ${sender}`;
    const ignored = marks.ignored[mark] ? ", ignored" : "";
    words.push(`${data.signals[marks.signal[mark]]} at ${span(marks.at[mark])} ${by}${ignored}`);
  }
  const more = data.bars.marks_omitted[bar];
  if (more > 0) words.push(`${more} more`);
  return words.length > 0 ? words.join("; ") : "none seen";
}

/** What is said of one process, each with its name: the same for tooltip and table. */
function factsOf(data, lane, bar) {
  const bars = data.bars;
  const host = bars.host_pid[bar];
  return {
    pid: String(bars.pid[bar]),
    "host pid": host === null ? "unknown" : String(host),
    role: data.roles[bars.role[bar]],
    bin: fateOf(data, lane, bar),
    there: lifeOf(data, bar),
    signals: signalsOf(data, bar),
    "end of stdin": bars.eof[bar] === null ? "none seen" : `at ${span(bars.eof[bar])}`,
    RSS: bars.rss_kib[bar] > 0 ? size(bars.rss_kib[bar]) : "unknown",
    command: commandOf(data, lane, bar) ?? "left out of this page",
  };
}
