// The lanes in the page: what is shown of them, and what pointers, keys and the search field do.

const LEAST_SPAN = 5;
const TOOLS = [
  ["all", "All"],
  ["findings", "With findings"],
  ["found", "Found"],
];

class View {
  constructor(mount, search, data) {
    this.mount = mount;
    this.search = search;
    this.data = data;
    this.shown = "all";
    this.open = false;
    this.found = [];
    this.place = -1;
    this.state = { chosen: -1, found: null, pointed: -1, selecting: null };
    this.frame = 0;
    this.build();
    this.picture = new Picture(data, this.canvas);
    this.colours = coloursOf(mount);
    this.listen();
    this.arrange();
    this.draw();
  }

  build() {
    const data = this.data;
    const tools = element("div", "lanes-tools");
    this.buttons = {};
    const group = element("div", "lanes-group");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Which lanes are shown");
    for (const [name] of TOOLS) {
      const button = element("button");
      button.type = "button";
      button.addEventListener("click", () => {
        this.shown = name;
        this.arrange();
      });
      this.buttons[name] = button;
      group.append(button);
    }
    this.order = element("select");
    for (const [value, words] of [
      ["opened", "as opened"],
      ["worst", "worst first"],
    ]) {
      const option = element("option", "", words);
      option.value = value;
      this.order.append(option);
    }
    const label = element("label", "lanes-order", "Order ");
    label.append(this.order);
    this.reset = element("button", "lanes-reset", "Whole time");
    this.reset.type = "button";
    this.reset.hidden = true;
    this.fit = element("button", "lanes-fit", "Fit to these rows");
    this.fit.type = "button";
    this.fit.title = "Shows the time of the rows that are in view";
    tools.append(group, label, this.fit, this.reset);
    this.count = element("p", "lanes-count");
    this.heard = element("p", "lanes-heard");
    this.heard.setAttribute("aria-live", "polite");
    this.scroller = element("div", "lanes-scroller");
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "application");
    this.scroller.setAttribute("aria-label", "Lanes: arrow keys move among sessions and their processes, Enter opens a table, z zooms to a session, plus and minus zoom, nought shows the whole time");
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.spacer = element("div", "lanes-spacer");
    this.spacer.append(this.canvas);
    this.scroller.append(this.spacer);
    this.nothing = element("p", "lanes-nothing");
    this.tooltip = element("div", "lanes-tip");
    this.tooltip.setAttribute("role", "tooltip");
    this.tooltip.hidden = true;
    this.details = element("div", "lanes-details");
    this.details.hidden = true;
    const hint = element("p", "lanes-hint", "Drag to zoom, or Ctrl and the wheel; a double click shows the whole time.");
    this.mount.replaceChildren(tools, this.count, legend(data), this.scroller, this.nothing, hint, this.details, this.heard, this.tooltip);
    const withFindings = data.lanes.filter((lane) => lane.hasFindings).length;
    // Where most of a long list is well, what is not comes first.
    const isLong = data.lanes.length > 40;
    this.order.value = isLong && withFindings > 0 && withFindings * 2 < data.lanes.length ? "worst" : "opened";
  }

  listen() {
    this.order.addEventListener("change", () => this.arrange());
    this.reset.addEventListener("click", () => this.zoom(0, this.data.end));
    this.fit.addEventListener("click", () => this.fitRows());
    this.scroller.addEventListener("scroll", () => {
      this.hideTooltip();
      this.ask();
    });
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    this.scroller.addEventListener("blur", () => this.hideTooltip());
    this.pointers = new Pointers(this);
    if (this.search) {
      this.search.addEventListener("input", () => this.find());
      this.search.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && this.found.length > 0) {
          event.preventDefault();
          this.goTo((this.place + (event.shiftKey ? this.found.length - 1 : 1)) % this.found.length);
        }
      });
    }
    new ResizeObserver(() => this.resized()).observe(this.mount);
    window.addEventListener("resize", () => this.resized());
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
    matchMedia("print").addEventListener("change", (event) => this.print(event.matches));
    const recolour = () => {
      this.colours = coloursOf(this.mount);
      this.picture.overview.forget();
      this.ask();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
    new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["class", "style", "data-theme"] });
  }

  /** Takes the rows anew: after a change of filter, order, search or fold. */
  arrange() {
    const chosen = this.picture.rows[this.state.chosen];
    const meant = new Set(this.found);
    const wanted = (lane) => this.shown === "all" || (this.shown === "findings" ? lane.hasFindings : meant.has(lane));
    const sessions = this.data.lanes.filter(wanted);
    if (this.order.value === "worst") sessions.sort(worstFirst);
    const others = this.data.others.filter(wanted);
    const rows = sessions;
    if (others.length > 0) {
      const open = this.open || this.shown === "found";
      rows.push({ kind: "fold", name: this.foldName(others), open, count: 0, first: 0, opened: null, over: 0, killed: 0, doubt: 0 });
      if (open) rows.push(...others);
    }
    this.rowOf = new Map(rows.map((lane, row) => [lane, row]));
    this.state.chosen = this.rowOf.get(chosen) ?? -1;
    this.state.pointed = -1;
    this.picture.show(rows);
    this.resized(true);
    this.say(sessions.filter((lane) => lane.kind === "session").length);
  }

  foldName(others) {
    const roles = new Map();
    for (const lane of others) {
      const role = this.data.roles[this.data.bars.role[lane.first]];
      roles.set(role, (roles.get(role) ?? 0) + 1);
    }
    const each = [...roles].map(([role, count]) => counted(count, role)).join(", ");
    const wrong = others.filter((lane) => lane.hasFindings).length;
    return `${counted(others.length, "process")} of no session (${each})${wrong > 0 ? `, ${wrong} with findings` : ""}`;
  }

  /** Says how much is shown, and what was left out. */
  say(sessions) {
    const data = this.data;
    const all = [...data.lanes, ...data.others];
    const counts = { all: data.lanes.length, findings: data.lanes.filter((lane) => lane.hasFindings).length, found: this.found.length };
    for (const [name, words] of TOOLS) {
      this.buttons[name].textContent = `${words} (${counts[name].toLocaleString("en")})`;
      this.buttons[name].setAttribute("aria-pressed", String(this.shown === name));
    }
    this.buttons.found.hidden = !this.search?.value.trim();
    const over = all.reduce((sum, lane) => sum + lane.over, 0);
    let words = `${sessions.toLocaleString("en")} of ${counted(data.lanes.length, "session")} shown`;
    words += `; ${counted(data.bars.count, "process")}, of which ${over === 0 ? "none outlives what it served" : `${over.toLocaleString("en")} ${over === 1 ? "outlives" : "outlive"} what ${over === 1 ? "it" : "they"} served`}.`;
    if (data.sessions_omitted > 0 || data.bars_omitted > 0) {
      words += ` Left out, because there are too many: ${counted(data.sessions_omitted, "session")}, ${counted(data.bars_omitted, "process")}.`;
    }
    this.count.textContent = words;
    this.canvas.setAttribute("aria-label", words);
    this.nothing.textContent =
      this.picture.rows.length > 0 ? "" : data.lanes.length === 0 ? "No session was recorded." : this.shown === "findings" ? "Nothing was found in any session." : "Nothing is meant by that.";
    this.scroller.hidden = this.picture.rows.length === 0;
  }

  resized(always = false) {
    if (this.printing) return;
    const width = this.scroller.clientWidth || this.mount.clientWidth;
    const most = Math.max(280, Math.round(window.innerHeight * 0.72));
    if (!always && width === this.width && most === this.most && this.picture.ratio === (window.devicePixelRatio || 1)) return;
    this.width = width;
    this.most = most;
    const picture = this.picture;
    // How tall the rows are depends on the width, and what is beside them on whether all of them fit.
    picture.resize(width, most);
    const height = Math.min(most, Math.ceil(picture.tall));
    this.scroller.style.height = `${height}px`;
    this.spacer.style.height = `${Math.max(height, Math.ceil(picture.tall))}px`;
    picture.resize(this.scroller.clientWidth || width, height);
    this.ask();
  }

  /** Draws with the next frame. */
  ask() {
    if (this.frame === 0 && !this.printing) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.picture.scroll = this.printing ? 0 : this.scroller.scrollTop;
    this.picture.draw(this.colours, this.state);
  }

  /** Shows a stretch of time. */
  zoom(from, to) {
    const end = this.data.end;
    const shown = Math.min(end, Math.max(Math.min(LEAST_SPAN, end), to - from));
    const start = Math.min(Math.max(0, from), end - shown);
    this.picture.from = start;
    this.picture.to = start + shown;
    this.reset.hidden = shown >= end;
    this.hideTooltip();
    this.ask();
  }

  /** Shows the time in which the rows that are in view have their course, for a long run makes smudges of short ones. */
  fitRows() {
    this.draw();
    let [from, to] = [Infinity, -Infinity];
    for (const lane of this.picture.visible()) {
      const { bars } = this.data;
      const moments = [lane.opened, lane.ended];
      for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) moments.push(bars.first[bar], lastOf(this.data, bar));
      for (const moment of moments) {
        if (moment === null) continue;
        from = Math.min(from, moment);
        to = Math.max(to, moment);
      }
    }
    if (from > to) return;
    const margin = Math.max(LEAST_SPAN, (to - from) * 0.03);
    this.zoom(from - margin, to + margin);
  }

  zoomAt(x, factor) {
    const { from, to } = this.picture;
    const at = Math.min(to, Math.max(from, this.picture.time(x)));
    const shown = Math.min(this.data.end, (to - from) * factor);
    const start = at - ((at - from) / (to - from)) * shown;
    this.zoom(start, start + shown);
  }

  click(x, y) {
    const row = this.picture.rowAt(y);
    if (row < 0 || this.picture.isOnMap(x)) return;
    this.choose(row, false);
    this.enter(false);
  }

  /** Shows what is under the pointer. */
  point(x, y) {
    const row = this.picture.isOnMap(x) ? -1 : this.picture.rowAt(y);
    const lane = this.picture.rows[row];
    if (!lane || lane.kind === "fold") {
      this.hideTooltip();
      return;
    }
    const bar = x >= this.picture.left - 8 ? this.picture.barAt(row, x, y) : -1;
    this.tip(lane, bar, x, y);
  }

  /** Shows the tooltip of a process, or of a lane where `bar` is -1, beside a place of the canvas. */
  tip(lane, bar, x, y) {
    const tooltip = this.tooltip;
    const key = `${lane.kind} ${lane.order} ${bar}`;
    if (tooltip.hidden || this.tipped !== key) {
      if (bar >= 0) describeBar(tooltip, this.data, lane, bar);
      else describeLane(tooltip, this.data, lane);
      this.tipped = key;
      tooltip.hidden = false;
    }
    const canvas = this.canvas.getBoundingClientRect();
    const mount = this.mount.getBoundingClientRect();
    const wide = tooltip.offsetWidth;
    const tall = tooltip.offsetHeight;
    let left = canvas.left - mount.left + x + 14;
    if (left + wide > mount.width) left = Math.max(0, Math.min(mount.width - wide, left - wide - 28));
    let top = canvas.top - mount.top + y + 16;
    if (mount.top + top + tall > window.innerHeight - 8 && mount.top + top - tall - 32 > 0) top -= tall + 32;
    tooltip.style.left = `${left}px`;
    tooltip.style.top = `${top}px`;
    if (this.state.pointed !== bar) {
      this.state.pointed = bar;
      this.ask();
    }
  }

  hideTooltip() {
    this.tooltip.hidden = true;
    if (this.state.pointed >= 0) {
      this.state.pointed = -1;
      this.ask();
    }
  }

  key(event) {
    const rows = this.picture.rows.length;
    const { chosen } = this.state;
    const { left, right } = this.picture;
    const middle = (left + right) / 2;
    const keys = {
      ArrowDown: () => this.choose(Math.min(rows - 1, chosen + 1)),
      ArrowUp: () => this.choose(Math.max(0, chosen - 1)),
      PageDown: () => this.choose(Math.min(rows - 1, chosen + 10)),
      PageUp: () => this.choose(Math.max(0, chosen - 10)),
      Home: () => this.choose(0),
      End: () => this.choose(rows - 1),
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Enter: () => this.enter(true),
      Escape: () => this.hideTooltip(),
      "+": () => this.zoomAt(middle, 0.5),
      "-": () => this.zoomAt(middle, 2),
      z: () => this.picture.rows[chosen]?.opened != null && this.zoomTo(this.picture.rows[chosen]),
      0: () => this.zoom(0, this.data.end),
    };
    if (!Object.hasOwn(keys, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  /** Makes a row the chosen one, visible and heard. */
  choose(row, reveal = true) {
    if (row < 0 || row >= this.picture.rows.length) return;
    this.state.chosen = row;
    this.heard.textContent = sentenceOf(this.data, this.picture.rows[row]);
    if (reveal) this.reveal(row);
    this.hideTooltip();
    this.ask();
  }

  /** Scrolls so that a row is seen. */
  reveal(row) {
    const { tops, height } = this.picture;
    const top = tops[row];
    const room = height - HEAD;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (tops[row + 1] > this.scroller.scrollTop + room) this.scroller.scrollTop = Math.min(top, tops[row + 1] - room + 8);
  }

  /** Moves among the processes of the chosen lane. */
  step(by) {
    const row = this.state.chosen;
    const lane = this.picture.rows[row];
    if (!lane || lane.count === 0) return;
    const last = lane.first + lane.count - 1;
    const bar = this.state.pointed < lane.first || this.state.pointed > last ? (by > 0 ? lane.first : last) : Math.min(last, Math.max(lane.first, this.state.pointed + by));
    this.draw();
    const box = this.picture.boxOf(row, bar);
    const x = Math.min(this.picture.right, Math.max(this.picture.left, box.x));
    this.tip(lane, bar, x, box.y);
    this.heard.textContent = Object.entries(factsOf(this.data, lane, bar))
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
  }

  /** Opens the table of the chosen lane, or unfolds what is folded. */
  enter(focus) {
    const lane = this.picture.rows[this.state.chosen];
    if (!lane) return;
    if (lane.kind === "fold") {
      this.open = !this.open;
      this.arrange();
      this.state.chosen = this.picture.rows.findIndex((other) => other.kind === "fold");
      return;
    }
    this.showTable(lane);
    if (focus) this.details.firstChild.focus();
  }

  showTable(lane) {
    tabulate(this.details, this.data, lane);
    if (lane.opened === null) return;
    const button = element("button", "", "Zoom to the session");
    button.type = "button";
    button.addEventListener("click", () => {
      this.zoomTo(lane);
      this.scroller.focus();
    });
    this.details.append(button);
  }

  /** Shows the time of one session, with some of what came before and after. */
  zoomTo(lane) {
    const length = Math.max(LEAST_SPAN, (lane.ended ?? this.data.end_ms) - lane.opened);
    this.zoom(lane.opened - length / 2, lane.opened + 2.5 * length);
  }

  /** Finds the lanes that are meant by what was typed, and goes to the first. */
  find() {
    const wanted = this.search.value.trim().toLowerCase();
    const all = [...this.data.lanes, ...this.data.others];
    const meant = wanted === "" ? [] : all.filter((lane) => isMeant(this.data, lane, wanted));
    const exact = meant.filter((lane) => lane.name.toLowerCase() === wanted);
    this.found = [...exact, ...meant.filter((lane) => !exact.includes(lane))];
    this.state.found = null;
    this.place = -1;
    delete this.mount.dataset.found;
    if (wanted === "" && this.shown === "found") this.shown = "all";
    if (this.found.some((lane) => lane.kind === "other")) this.open = true;
    if (this.shown === "findings" && this.found.some((lane) => !lane.hasFindings)) this.shown = "all";
    this.arrange();
    if (this.found.length > 0) this.goTo(0);
    else this.heard.textContent = wanted === "" ? "" : "Nothing found.";
  }

  /** Goes to one of the lanes that were found. */
  goTo(place) {
    const lane = this.found[place];
    const row = this.rowOf.get(lane);
    if (row === undefined) return;
    this.place = place;
    this.state.found = lane;
    this.mount.dataset.found = lane.name;
    const { tops, height } = this.picture;
    this.scroller.scrollTop = tops[row] - (height - HEAD) / 3;
    this.choose(row);
    this.showTable(lane);
    this.heard.textContent = `${place + 1} of ${this.found.length} found. ${sentenceOf(this.data, lane)}`;
    this.count.textContent = `${place + 1} of ${counted(this.found.length, "lane")} found${this.found.length > 1 ? "; Enter goes to the next" : ""}: ${sentenceOf(this.data, lane)}.`;
  }

  /** For paper: the first lanes with findings, or the first, at one page's height and without what a pointer left. */
  print(on) {
    if (on) {
      this.kept ??= { rows: this.picture.rows, ratio: window.devicePixelRatio, scroll: this.scroller.scrollTop };
      this.printing = true;
      this.hideTooltip();
      const sessions = this.data.lanes.filter((lane) => lane.hasFindings);
      if (sessions.length > 0) sessions.sort(worstFirst);
      const lanes = sessions.length > 0 ? sessions : this.data.lanes;
      const picture = this.picture;
      const width = Math.min(700, this.width);
      picture.resize(width, 860);
      let rows = lanes.slice(0, 60);
      do {
        picture.show(rows);
        rows = rows.slice(0, -1);
      } while (picture.tall > 860 && rows.length > 0);
      picture.resize(width, Math.ceil(picture.tall));
      this.scroller.style.height = this.spacer.style.height = `${Math.ceil(picture.tall)}px`;
      this.colours = coloursOf(this.mount);
      picture.overview.forget();
      this.draw();
    } else if (this.kept) {
      this.printing = false;
      this.colours = coloursOf(this.mount);
      this.picture.show(this.kept.rows);
      this.resized(true);
      this.scroller.scrollTop = this.kept.scroll;
      this.kept = null;
    }
  }

  /** Where a process is in the window, by its session and its place there; for tests and for those who script the page. */
  placeOf(session, place) {
    this.draw();
    const row = this.picture.rows.findIndex((lane) => lane.name === session);
    if (row < 0) return null;
    const lane = this.picture.rows[row];
    const box = this.picture.boxOf(row, lane.first + place);
    const canvas = this.canvas.getBoundingClientRect();
    const { left, right, height } = this.picture;
    const from = Math.max(left, box.x);
    const to = Math.min(right, box.x + box.width);
    const seen = box.y >= HEAD && box.y + box.height <= height && to > from;
    return { x: canvas.left + from, y: canvas.top + box.y, width: to - from, height: box.height, seen };
  }
}

const mount = document.getElementById("lanes-view");
const embedded = document.getElementById("lanes-data");
if (mount && embedded) {
  performance.mark("lanes-start");
  const view = new View(mount, document.getElementById("lanes-search"), readLanes(embedded.textContent));
  performance.measure("lanes", "lanes-start");
  mount.placeOf = (session, place) => view.placeOf(session, place);
  mount.redraw = () => view.draw();
  document.documentElement.dataset.lanes = "drawn";
}
