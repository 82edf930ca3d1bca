"use strict";
// Draws the charts that `charts-data` describes, and makes zoom, copying and the way from a session's name to its lane work.
// Texts that came from a process reach the page by textContent alone.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");

  const data = document.getElementById("charts-data");
  const described = data ? JSON.parse(data.textContent) : [];

  // How values are written: the same words as in the rest of the page.
  const UNITS = [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]];
  function bytes(count) {
    const unit = UNITS.find(([, size]) => count >= size);
    if (!unit) return `${Math.round(count)} B`;
    const value = count / unit[1];
    return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit[0]}`;
  }
  // On an axis, neighbours differ by less than their own size, so digits stay that tell them apart.
  function bytesOfAxis(count) {
    const unit = UNITS.find(([, size]) => count >= size);
    if (!unit) return `${count} B`;
    return `${Number((count / unit[1]).toFixed(2))} ${unit[0]}`;
  }
  function span(millis, exact) {
    const seconds = millis / 1000;
    if (seconds < 60) return `${Number(seconds.toFixed(exact ? 2 : 1))} s`;
    const whole = Math.round(seconds);
    const [days, hours] = [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600)];
    const [minutes, rest] = [Math.floor((whole % 3600) / 60), whole % 60];
    const parts = [[days, "d"], [hours, "h"], [minutes, "min"], [rest, "s"]].filter(([count]) => count > 0);
    return parts.slice(0, exact ? 3 : 2).map(([count, unit]) => `${count} ${unit}`).join(" ");
  }
  const written = { bytes, count: (count) => String(count) };
  const writtenOnAxis = { bytes: bytesOfAxis, count: (count) => String(count) };

  function element(name, className, text) {
    const made = document.createElement(name);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // What a curve comes to at a moment: what it was last found to be, and nothing before its first value and after its last.
  function valueAt(points, moment) {
    let [low, high] = [0, points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= moment) low = middle + 1;
      else high = middle;
    }
    if (low === 0 || (low === points.length && points[low - 1][0] < moment)) return null;
    const value = points[low - 1][1];
    return typeof value === "number" ? value : null;
  }

  // What the tip says of one moment. Curves of two runs share none, so that each is asked what it was then.
  function tip(chart, moment, hidden) {
    const box = element("div", "tip");
    const shown = chart.option.series
      .filter((one) => one.name !== "limit" && !hidden(one.name))
      .map((one) => ({ name: one.name, colour: one.itemStyle.color, value: valueAt(one.data, moment) }))
      .filter((one) => one.value !== null);
    if (shown.length === 0) return box;
    box.append(element("p", "moment", span(moment, true)));
    for (const one of shown) {
      const row = element("p", "value");
      const swatch = element("i", "swatch");
      swatch.style.background = one.colour;
      row.append(swatch, element("span", "name", one.name), element("b", "", written[chart.unit](one.value)));
      box.append(row);
    }
    if (chart.whole && shown.length > 1) {
      const sum = shown.reduce((sum, one) => sum + one.value, 0);
      const row = element("p", "value whole");
      row.append(element("i", "swatch none"), element("span", "name", chart.whole), element("b", "", written[chart.unit](sum)));
      box.append(row);
    }
    return box;
  }

  // What JSON cannot hold, or the types of the options lack: functions, and how the zoom is used.
  function completed(chart, last, drawn) {
    const option = chart.option;
    const hidden = (name) => drawn.getOption().legend?.[0]?.selected?.[name] === false;
    option.useUTC = true; // The moments of a run are no times of day.
    option.textStyle = { fontFamily: "system-ui, sans-serif" };
    option.aria = { enabled: false }; // The page's own words describe the chart.
    option.xAxis.axisLabel.formatter = (millis) => span(millis, false);
    Object.assign(option.xAxis.axisLabel, { hideOverlap: true, alignMaxLabel: "right" });
    option.yAxis.axisLabel.formatter = writtenOnAxis[chart.unit];
    option.tooltip.formatter = (found) => tip(chart, found[0].axisValue, hidden);
    option.tooltip.confine = true;
    option.tooltip.transitionDuration = 0;
    option.tooltip.className = "tip-frame";
    Object.assign(option.tooltip, { backgroundColor: "", borderWidth: 0, padding: 0, extraCssText: "box-shadow:none" });
    // The wheel and a finger scroll the page; with Ctrl, or with two fingers, they zoom.
    const coarse = matchMedia("(pointer: coarse)").matches;
    for (const zoom of option.dataZoom) {
      Object.assign(zoom, {
        zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, moveOnMouseMove: !coarse, preventDefaultMouseMove: false, minValueSpan: 50,
      });
    }
    option.dataZoom.push({
      type: "slider", show: last, filterMode: "none", left: 64, right: 12, bottom: 6, height: 22, minValueSpan: 50, brushSelect: false,
      showDetail: false, borderColor: "var(--line)", backgroundColor: "transparent", fillerColor: "var(--veil)",
      handleStyle: { color: "var(--raised)", borderColor: "var(--muted)" }, moveHandleStyle: { color: "var(--line)" }, moveHandleSize: 5,
      emphasis: { handleStyle: { borderColor: "var(--accent)" }, moveHandleStyle: { color: "var(--muted)" } },
      dataBackground: { lineStyle: { color: "var(--line)" }, areaStyle: { color: "var(--line)" } },
      selectedDataBackground: { lineStyle: { color: "var(--muted)" }, areaStyle: { color: "var(--line)" } },
    });
    for (const grid of option.grid) {
      if (option.legend) grid.top = 34;
      if (last) grid.bottom = 58;
    }
    return option;
  }

  // Marks of time that a narrow chart has no room for would be left out one here and one there.
  const fewer = (width) => ({ xAxis: { splitNumber: Math.max(2, Math.min(6, Math.floor(width / 90))) } });

  const plots = described.map((chart) => [chart, document.getElementById(chart.id)]).filter(([, place]) => place);
  const charts = plots.map(([chart, place], number) => {
    const drawn = echarts.init(place, null, { renderer: "svg" });
    drawn.setOption(completed(chart, number === plots.length - 1, drawn));
    drawn.setOption(fewer(place.clientWidth));
    return drawn;
  });
  if (charts.length > 0) echarts.connect(charts);

  // On paper a chart is as wide as its column, whatever the window was: it is a picture that scales.
  function scalable(chart) {
    const picture = chart.getDom().querySelector("svg");
    if (picture) picture.setAttribute("viewBox", `0 0 ${chart.getWidth()} ${chart.getHeight()}`);
  }
  charts.forEach(scalable);
  if (charts.length > 0) {
    let width = charts[0].getDom().clientWidth;
    new ResizeObserver(() => {
      const now = charts[0].getDom().clientWidth;
      if (now === width || now === 0 || matchMedia("print").matches) return;
      width = now;
      for (const chart of charts) {
        chart.setOption(fewer(now));
        chart.resize();
        scalable(chart);
      }
    }).observe(charts[0].getDom());
  }

  // The zoom by buttons, for those who use neither wheel nor fingers; all charts follow the first one.
  const shown = document.getElementById("zoom-shown");
  const reach = () => {
    const [zoom] = charts[0].getOption().dataZoom;
    return [zoom.start, zoom.end];
  };
  function say() {
    const [start, end] = reach();
    const all = described[0].option.xAxis.max;
    if (shown) shown.textContent = end - start > 99.9 ? "" : `${span((all * start) / 100, true)} to ${span((all * end) / 100, true)}`;
  }
  function zoom(how) {
    const [start, end] = reach();
    const wide = end - start;
    const middle = (start + end) / 2;
    const [from, to] = {
      in: [middle - wide / 4, middle + wide / 4],
      out: [middle - wide, middle + wide],
      back: [start - wide / 2, end - wide / 2],
      forth: [start + wide / 2, end + wide / 2],
      all: [0, 100],
    }[how];
    // What is pushed over an edge keeps its width.
    const push = Math.max(0, -from) - Math.max(0, to - 100);
    const kept = how === "back" || how === "forth" ? [from + push, to + push] : [from, to];
    charts[0].dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start: Math.max(0, kept[0]), end: Math.min(100, kept[1]) });
  }
  if (charts.length > 0) charts[0].on("datazoom", say);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.zoom && charts.length > 0) zoom(button.dataset.zoom);
    if (button.dataset.copy) copy(button);
    if (button.dataset.session !== undefined) find(button.dataset.session);
  });

  async function copy(button) {
    const text = document.getElementById(button.dataset.copy);
    let done = true;
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      // A page from a file may not be allowed to: the text is selected and copied the old way, or left selected.
      getSelection().selectAllChildren(text);
      done = document.execCommand("copy");
    }
    const before = button.textContent;
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  // From a session's name to its lane: as if the name had been typed into the search.
  function find(session) {
    const search = document.getElementById("lanes-search");
    if (!search) return;
    search.value = session;
    search.dispatchEvent(new Event("input", { bubbles: true }));
    document.getElementById("lanes").scrollIntoView({ block: "start" });
    search.focus({ preventScroll: true });
  }

  // Paper shows every finding, folded or not on the screen.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".finding:not([open])")];
    closed.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((fold) => { fold.open = false; }));

  root.dataset.charts = "drawn";
})();
