// Draws what is visible of the lanes on a canvas, and knows where each thing is.

/** Marks as paths around their place, so that legend and picture show the same. */
const SHAPES = {
  signal: { path: "M-4 -4.5H4L0 3Z", fill: true },
  ignored: { path: "M-3.5 -4H3.5L0 2.5Z", fill: false },
  kill: { path: "M-3.2 -3.2L3.2 3.2M3.2 -3.2L-3.2 3.2", fill: false },
  eof: { path: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", fill: false },
  open: { path: "M0 -6V6M0 -6L5 -3.5L0 -1", fill: false },
  end: { path: "M0 -6V6M-3.5 -6H3.5M-3.5 6H3.5", fill: false },
  there: { path: "M-3 -4L1.5 0L-3 4", fill: false },
};
const COLOURS = ["ground", "ink", "muted", "line", "accent", "doubt", "working", "grace", "over", "killed", "other"];
/** A session that is narrower than this shows neither its opening nor ends of stdin: they would hide it. */
const ROOM_FOR_MARKS = 14;
const BAR = 9;
const STEP = 12;
const HEAD = 46;
const SIGKILL = 9;

/** The page's colours as they are now. A probe resolves whatever a custom property holds to what a canvas understands. */
function coloursOf(view) {
  const probe = document.createElement("span");
  view.append(probe);
  const colours = {};
  for (const name of COLOURS) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  const font = getComputedStyle(probe).fontFamily;
  probe.remove();
  return { ...colours, font };
}

/** The picture of some rows. `rows` are lanes in the order shown; `from` and `to` the moments that the plot spans. */
class Picture {
  constructor(data, canvas) {
    this.data = data;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.rows = [];
    this.tops = new Float64Array(1);
    this.from = 0;
    this.to = data.end;
    this.scroll = 0;
    this.paths = Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [name, new Path2D(shape.path)]));
    this.names = new Map();
    this.overview = new Overview(this);
  }

  /** Takes the size of the place that it is drawn in. */
  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.narrow = width < 640;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.ratio = ratio;
    this.names.clear();
    this.arrange();
  }

  /** Takes the rows to be shown. */
  show(rows) {
    this.rows = rows;
    this.arrange();
  }

  arrange() {
    const label = this.narrow ? 17 : 0;
    this.tops = new Float64Array(this.rows.length + 1);
    this.rows.forEach((lane, row) => {
      const bars = Math.max(lane.count * STEP + 5, this.narrow ? 8 : 20);
      this.tops[row + 1] = this.tops[row] + (lane.kind === "fold" ? 26 : bars + label + 1);
    });
    this.overview.forget();
    this.left = this.narrow ? 8 : 196;
    const fits = this.tall <= this.height;
    this.map = fits ? 0 : this.narrow ? 26 : 84;
    this.right = this.width - (fits ? 14 : this.map + 22);
  }

  /** How tall everything is. */
  get tall() {
    return HEAD + this.tops[this.rows.length] + 6;
  }

  x(ms) {
    return this.left + ((ms - this.from) / (this.to - this.from)) * (this.right - this.left);
  }

  time(x) {
    return this.from + ((x - this.left) / (this.right - this.left)) * (this.to - this.from);
  }

  y(row) {
    return HEAD + this.tops[row] - this.scroll;
  }

  /** The lanes of which more than an edge is in view. */
  visible() {
    return this.rows.filter((_, row) => this.y(row + 1) > HEAD + 4 && this.y(row) < this.height - 4);
  }

  /** Whether a place is on the overview. */
  isOnMap(x) {
    return this.map > 0 && x > this.right + 10;
  }

  /** The row at a height, or -1. */
  rowAt(y) {
    const wanted = y - HEAD + this.scroll;
    if (y < HEAD || wanted < 0 || wanted >= this.tops[this.rows.length]) return -1;
    let low = 0;
    let high = this.rows.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.tops[middle] <= wanted) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Where a process is drawn. */
  boxOf(row, bar) {
    const lane = this.rows[row];
    const x = this.x(this.data.bars.first[bar]);
    const width = Math.max(3, this.x(lastOf(this.data, bar)) - x);
    const spare = this.narrow || lane.count > 1 ? 3 : (20 - BAR) / 2;
    const y = this.y(row) + spare + (this.narrow ? 17 : 0) + (bar - lane.first) * STEP;
    return { x, y, width, height: BAR };
  }

  /** The process at a place, with some pixels of tolerance, or -1. */
  barAt(row, x, y) {
    const lane = this.rows[row];
    for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) {
      const box = this.boxOf(row, bar);
      if (x >= box.x - 4 && x <= box.x + box.width + 6 && y >= box.y - 2 && y <= box.y + BAR + 2) return bar;
    }
    return -1;
  }

  /** Draws all that is visible. `state` says which row is chosen and found, which bar is pointed at, and what is being selected. */
  draw(colours, state) {
    const context = this.context;
    this.colours = colours;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.textBaseline = "middle";
    const step = tickStep(this.to - this.from, this.right - this.left, this.narrow ? 70 : 96);
    this.grid(step);
    context.save();
    context.beginPath();
    context.rect(0, HEAD, this.width, this.height - HEAD);
    context.clip();
    this.stop();
    const first = Math.max(0, this.rowAt(HEAD));
    for (let row = first; row < this.rows.length && this.y(row) < this.height; row += 1) this.row(row, state);
    context.restore();
    this.head(step);
    if (this.map > 0) this.overview.draw();
    if (state.selecting) this.selection(state.selecting);
  }

  text(words, x, y, colour, options = {}) {
    const context = this.context;
    context.font = `${options.weight ?? 400} ${options.size ?? 12}px ${this.colours.font}`;
    context.fillStyle = colour;
    context.textAlign = options.align ?? "left";
    context.fillText(words, x, y);
  }

  grid(step) {
    const context = this.context;
    context.fillStyle = this.colours.line;
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      context.fillRect(Math.round(this.x(at)), HEAD - 20, 1, this.height);
    }
  }

  head(step) {
    const context = this.context;
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = this.x(at);
      const align = x > this.right - 24 ? "right" : x < this.left + 10 ? "left" : "center";
      this.text(tick(at, step), align === "left" ? Math.max(x, this.left) : align === "right" ? Math.min(x, this.right) : x, 12, this.colours.muted, { align, size: 11 });
    }
    const y = 26;
    if (!this.narrow) this.text("worker", this.left - 12, y + 5, this.colours.muted, { align: "right" });
    context.save();
    context.beginPath();
    context.rect(this.left, 0, this.right - this.left + 1, HEAD);
    context.clip();
    for (const [start, end] of this.data.workers) {
      const x = this.x(start);
      context.fillStyle = this.colours.muted;
      this.box(x, y, Math.max(2, this.x(end ?? this.data.end_ms) - x), 10, 3);
    }
    if (this.data.stop_ms !== null) {
      const x = this.x(this.data.stop_ms);
      context.fillStyle = this.colours.ink;
      context.fillRect(x - 1, y - 4, 2, HEAD - y + 4);
    }
    context.restore();
    context.fillStyle = this.colours.line;
    context.fillRect(0, HEAD - 1, this.map > 0 ? this.right + 8 : this.width, 1);
  }

  /** The moment at which the worker was asked to stop, through all lanes. */
  stop() {
    const at = this.data.stop_ms;
    if (at === null || at < this.from || at > this.to) return;
    const context = this.context;
    context.strokeStyle = this.colours.ink;
    context.globalAlpha = 0.55;
    context.setLineDash([3, 4]);
    context.beginPath();
    context.moveTo(Math.round(this.x(at)) + 0.5, HEAD);
    context.lineTo(Math.round(this.x(at)) + 0.5, Math.min(this.height, this.y(this.rows.length)));
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  box(x, y, width, height, radius) {
    this.context.beginPath();
    this.context.roundRect(x, y, width, height, Math.min(radius, width / 2));
    this.context.fill();
  }

  row(row, state) {
    const context = this.context;
    const lane = this.rows[row];
    const y = this.y(row);
    const height = this.tops[row + 1] - this.tops[row];
    const colours = this.colours;
    if (row === state.chosen || lane === state.found) {
      context.globalAlpha = lane === state.found ? 0.2 : 0.1;
      context.fillStyle = colours.accent;
      context.fillRect(0, y, this.right + 8, height);
      context.globalAlpha = 1;
      context.fillStyle = colours.accent;
      context.fillRect(0, y, 3, height);
    }
    if (lane.kind === "fold") {
      this.text(`${lane.open ? "▾" : "▸"} ${lane.name}`, 8, y + height / 2, colours.muted);
      return;
    }
    context.globalAlpha = 0.6;
    context.fillStyle = colours.line;
    context.fillRect(this.narrow ? 0 : 8, y + height - 1, this.right + 8, 1);
    context.globalAlpha = 1;
    this.label(lane, y, height);
    context.save();
    context.beginPath();
    context.rect(this.left - 5, y, this.right - this.left + 13, height);
    context.clip();
    const top = y + (this.narrow ? 17 : 1);
    const inner = height - (this.narrow ? 18 : 3);
    if (lane.opened !== null) this.session(lane, top, inner);
    for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) {
      const box = this.boxOf(row, bar);
      this.bar(lane, bar, box);
      if (bar === state.pointed) {
        context.strokeStyle = colours.ink;
        context.lineWidth = 1.5;
        context.strokeRect(box.x - 2.5, box.y - 1.5, box.width + 5, BAR + 3);
      }
    }
    context.restore();
  }

  /** The lane's name, and at its end the worst that was found of it. */
  label(lane, y, height) {
    const colours = this.colours;
    const middle = this.narrow ? y + 9 : y + Math.min(height, 32) / 2;
    let [note, colour] = ["", colours.muted];
    if (lane.over > 0) [note, colour] = [`+${span(lane.longest)}`, colours.over];
    else if (lane.killed > 0) [note, colour] = ["✕ early", colours.killed];
    else if (lane.doubt > 0) [note, colour] = ["undecided", colours.doubt];
    else if (lane.stalled) [note, colour] = ["stalled", colours.doubt];
    const end = this.narrow ? this.right : this.left - 12;
    if (note !== "") this.text(note, end, middle, colour, { align: "right", weight: 600, size: 11 });
    const room = end - 8 - (note === "" ? 0 : this.context.measureText(note).width + 8);
    this.text(this.fitted(lane, room), 8, middle, lane.hasFindings ? colours.ink : colours.muted);
  }

  /** A name that fits, its end marked where it was cut. */
  fitted(lane, room) {
    const known = this.names.get(lane);
    if (known !== undefined) return known;
    this.context.font = `400 12px ${this.colours.font}`;
    let name = lane.name;
    if (this.context.measureText(name).width > room) {
      const letters = Array.from(name);
      let [low, high] = [0, letters.length];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.context.measureText(letters.slice(0, middle).join("") + "…").width <= room) low = middle;
        else high = middle - 1;
      }
      name = letters.slice(0, low).join("") + "…";
    }
    this.names.set(lane, name);
    return name;
  }

  /** Whether a lane is drawn so wide that marks do not hide it. */
  hasRoom(lane) {
    const { bars } = this.data;
    const from = lane.opened ?? bars.first[lane.first];
    const to = lane.ended ?? (lane.count > 0 ? lastOf(this.data, lane.first) : from);
    return this.x(to) - this.x(from) >= ROOM_FOR_MARKS;
  }

  /** The time in which a session was open, behind its processes. */
  session(lane, y, height) {
    const context = this.context;
    const from = this.x(lane.opened);
    const to = this.x(lane.ended ?? this.data.stop_ms ?? this.data.end_ms);
    context.globalAlpha = 0.13;
    context.fillStyle = this.colours.working;
    context.fillRect(from, y, Math.max(1, to - from), height);
    context.globalAlpha = 1;
    context.fillStyle = this.colours.muted;
    context.fillRect(from - 0.5, y, 1.5, height);
    if (this.hasRoom(lane)) this.mark("open", from, y + 6, this.colours.muted);
    if (lane.ended === null) return;
    context.fillStyle = this.colours.ink;
    context.fillRect(to - 1, y, 2, height);
    if (!this.hasRoom(lane)) return;
    context.fillRect(to - 4, y, 8, 2);
    context.fillRect(to - 4, y + height - 2, 8, 2);
  }

  /** A process: thin while it served its session, full where it outlives it or was ended early. */
  bar(lane, bar, box) {
    const context = this.context;
    const colours = this.colours;
    const bars = this.data.bars;
    const kind = kindOf(this.data, bar);
    const last = lastOf(this.data, bar);
    const first = bars.first[bar];
    const part = (from, to, colour, thick) => {
      if (to < from) return;
      const x = this.x(from);
      const inset = thick ? 0 : 2;
      context.fillStyle = colour;
      this.box(x, box.y + inset, Math.max(thick ? 3 : 2, this.x(to) - x), BAR - 2 * inset, 2);
    };
    if (kind === "killed") part(first, last, colours.killed, true);
    else if (kind === "doubt") part(first, last, colours.doubt, true);
    else if (kind === "other" || lane.kind === "other") part(first, kind === "over" ? dueOf(this.data, lane, bar) : last, colours.other, false);
    else {
      const ended = Math.min(lane.ended ?? Infinity, last);
      const due = kind === "over" ? Math.min(dueOf(this.data, lane, bar), last) : last;
      if (due > ended) part(Math.max(first, ended), due, colours.grace, false);
      part(first, Math.min(ended, due), colours.working, false);
    }
    if (kind === "over") part(Math.max(first, dueOf(this.data, lane, bar)), last, colours.over, true);
    if (bars.died[bar] !== null && last - bars.died[bar] > 0) this.hatch(this.x(bars.died[bar]), box.y, this.x(last));
    const middle = box.y + BAR / 2;
    if (isThere(this.data, bar)) this.mark("there", box.x + box.width + 5, middle, kind === "over" ? colours.over : colours.muted, 2);
    else if (kind === "killed" && this.hasRoom(lane)) this.mark("kill", box.x + box.width, middle, colours.killed, 2.5);
    this.marksOf(lane, bar, middle);
  }

  /** Dead, and not waited for. */
  hatch(from, y, to) {
    const context = this.context;
    context.save();
    context.beginPath();
    context.rect(from, y, to - from, BAR);
    context.clip();
    context.strokeStyle = this.colours.ground;
    context.lineWidth = 1.5;
    context.beginPath();
    const [start, stop] = [Math.max(from, this.left) - BAR, Math.min(to, this.right)];
    for (let x = Math.floor(start / 5) * 5; x < stop; x += 5) {
      context.moveTo(x, y + BAR);
      context.lineTo(x + BAR, y);
    }
    context.stroke();
    context.restore();
  }

  marksOf(lane, bar, y) {
    const { bars, marks } = this.data;
    const room = this.hasRoom(lane);
    if (bars.eof[bar] !== null && room) this.mark("eof", this.x(bars.eof[bar]), y, this.colours.ink);
    for (let mark = bars.marks[bar]; mark < bars.marks[bar + 1]; mark += 1) {
      if (!room) {
        // A shape would hide the bar that it belongs to.
        this.context.fillStyle = marks.ours[mark] ? this.colours.muted : this.colours.ink;
        this.context.fillRect(Math.round(this.x(marks.at[mark])), y - BAR / 2, 1, BAR);
        continue;
      }
      const shape = marks.signal[mark] === SIGKILL ? "kill" : marks.ignored[mark] ? "ignored" : "signal";
      this.mark(shape, this.x(marks.at[mark]), y, marks.ours[mark] ? this.colours.muted : this.colours.ink, shape === "kill" ? 2 : 1.5);
    }
  }

  /** A shape with a rim in the colour of the ground, so that it is seen on every bar. */
  mark(name, x, y, colour, width = 1.5) {
    if (x < this.left - 8 || x > this.right + 8) return;
    const context = this.context;
    const path = this.paths[name];
    context.save();
    context.translate(x, y);
    context.lineJoin = "round";
    context.lineCap = "round";
    context.strokeStyle = this.colours.ground;
    context.lineWidth = width + 2.5;
    context.stroke(path);
    context.strokeStyle = colour;
    context.fillStyle = SHAPES[name].fill ? colour : this.colours.ground;
    if (SHAPES[name].fill || name === "ignored" || name === "eof") context.fill(path);
    context.lineWidth = width;
    context.stroke(path);
    context.restore();
  }

  selection([from, to]) {
    const context = this.context;
    context.fillStyle = this.colours.accent;
    context.globalAlpha = 0.18;
    context.fillRect(from, HEAD, to - from, this.height);
    context.globalAlpha = 1;
    context.fillRect(from, HEAD, 1, this.height);
    context.fillRect(to, HEAD, 1, this.height);
    const words = span(Math.abs(this.time(to) - this.time(from)));
    this.text(words, (from + to) / 2, HEAD + 10, this.colours.ink, { align: "center", weight: 600 });
  }
}
