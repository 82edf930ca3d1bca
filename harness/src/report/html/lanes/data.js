// The lanes as the picture and its table see them. All files of this folder are one function in the page.

/** What was embedded, as lanes whose processes are ranges of columns. */
function readLanes(text) {
  const data = JSON.parse(text);
  const bars = data.bars;
  bars.count = bars.pid.length;
  countFromStart(data);
  bars.marks = rangesOfMarks(data.marks, bars.count);
  const lanes = [];
  let first = 0;
  data.sessions.name.forEach((name, place) => {
    const count = data.sessions.bars[place];
    lanes.push(
      judged(data, {
        kind: "session",
        name,
        order: place,
        opened: data.sessions.opened[place],
        ended: data.sessions.ended[place],
        how: data.ends[data.sessions.end[place]] ?? null,
        stalled: data.sessions.stalled[place] === 1,
        first,
        count,
      }),
    );
    first += count;
  });
  const others = [];
  for (let bar = first; bar < bars.count; bar += 1) {
    others.push(
      judged(data, {
        kind: "other",
        name: `${data.roles[bars.role[bar]]} ${bars.pid[bar]}`,
        order: lanes.length + others.length,
        opened: null,
        ended: null,
        how: null,
        stalled: false,
        first: bar,
        count: 1,
      }),
    );
  }
  return { ...data, lanes, others, end: Math.max(1, data.end_ms), commandTexts: new Map() };
}

/** Makes moments that were counted from another one count from the run's start. */
function countFromStart(data) {
  const { bars, marks, sessions } = data;
  let bar = 0;
  sessions.bars.forEach((count, place) => {
    for (const next = bar + count; bar < next; bar += 1) bars.first[bar] += sessions.opened[place] ?? 0;
  });
  for (const column of [bars.died, bars.gone, bars.due, bars.eof]) {
    for (bar = 0; bar < bars.count; bar += 1) if (column[bar] !== null) column[bar] += bars.first[bar];
  }
  marks.bar.forEach((bar, mark) => {
    marks.at[mark] += bars.first[bar];
  });
}

/** Where the marks of each process begin; marks come in the order of their processes. */
function rangesOfMarks(marks, count) {
  const starts = new Uint32Array(count + 1);
  for (const bar of marks.bar) starts[bar + 1] += 1;
  for (let bar = 0; bar < count; bar += 1) starts[bar + 1] += starts[bar];
  return starts;
}

/** A lane with what its processes come to, so that lanes can be sorted and summed up. */
function judged(data, lane) {
  lane.over = 0;
  lane.killed = 0;
  lane.doubt = 0;
  lane.longest = 0;
  for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) {
    const kind = kindOf(data, bar);
    if (kind === "over") {
      const outlived = outlivedBy(data, lane, bar);
      lane.over += 1;
      lane.longest = Math.max(lane.longest, outlived);
    } else if (kind === "killed") lane.killed += 1;
    else if (kind === "doubt") lane.doubt += 1;
  }
  lane.hasFindings = lane.over + lane.killed + lane.doubt > 0 || lane.stalled;
  return lane;
}

function kindOf(data, bar) {
  return data.fates[data.bars.fate[bar]].kind;
}

/** When nothing is left of a process; the end of the recording for one that was still there. */
function lastOf(data, bar) {
  const { gone, died } = data.bars;
  return gone[bar] ?? (isThere(data, bar) ? data.end_ms : died[bar]);
}

/** Whether a process was still there when the recording ended, if only as a zombie. */
function isThere(data, bar) {
  const { gone, died, fate } = data.bars;
  return gone[bar] === null && (died[bar] === null || data.fates[fate[bar]].name === "zombie");
}

/** From when on a process outlives what it served. */
function dueOf(data, lane, bar) {
  return data.bars.due[bar] ?? lane.ended ?? data.stop_ms ?? data.end_ms;
}

/** By how much a process outlived its session, grace included; its obligation where it served none that ended. */
function outlivedBy(data, lane, bar) {
  const from = Math.min(lane.ended ?? Infinity, dueOf(data, lane, bar));
  return Math.max(0, lastOf(data, bar) - from);
}

/** A command line, put together from the like one that it was written by and the name of its session. */
function commandOf(data, lane, bar) {
  const place = data.bars.command[bar];
  return place === null ? null : writtenCommand(data, place).replaceAll("\u0001", () => lane.name);
}

function writtenCommand(data, place) {
  const written = data.commands[place];
  if (typeof written === "string") return written;
  let text = data.commandTexts.get(place);
  if (text === undefined) {
    const [like, start, middle, end] = written;
    const letters = Array.from(data.commands[like]);
    text = letters.slice(0, start).join("") + middle + letters.slice(letters.length - end).join("");
    data.commandTexts.set(place, text);
  }
  return text;
}

/** Lanes in the order of their findings: what outlives longest, then what was killed, then what nobody can tell. */
function worstFirst(left, right) {
  return (
    right.longest - left.longest ||
    right.over - left.over ||
    right.killed - left.killed ||
    right.doubt - left.doubt ||
    Number(right.stalled) - Number(left.stalled) ||
    left.order - right.order
  );
}

/** Whether a lane is meant by what was typed: a part of its name or of a command line, or a pid as worker or user see it. */
function isMeant(data, lane, wanted) {
  if (lane.kind === "session") {
    const name = lane.name.toLowerCase();
    if (name.includes(wanted)) return true;
    // All of a name that was cut may have been typed.
    if (name.endsWith("…") && wanted.startsWith(name.slice(0, -1))) return true;
  }
  for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) {
    if (String(data.bars.pid[bar]) === wanted || String(data.bars.host_pid[bar]) === wanted) return true;
    if (commandOf(data, lane, bar)?.toLowerCase().includes(wanted)) return true;
  }
  return false;
}
