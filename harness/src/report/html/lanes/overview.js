// The whole list at one glance, beside the part of it that is seen.

class Overview {
  constructor(picture) {
    this.picture = picture;
    this.image = null;
  }

  /** Makes it paint anew: after a change of rows, size or colours. */
  forget() {
    this.image = null;
  }

  draw() {
    const { context, height: whole, right, map, rows, tops, scroll, colours } = this.picture;
    const x = right + 14;
    const height = whole - HEAD - 4;
    this.image ??= this.paint(height);
    context.drawImage(this.image, x, HEAD + 2, map, height);
    const all = tops[rows.length];
    const seen = Math.min(1, (whole - HEAD) / all);
    context.strokeStyle = colours.accent;
    context.lineWidth = 1.5;
    context.strokeRect(x - 1, HEAD + 2 + (scroll / all) * height, map + 2, Math.max(8, seen * height));
  }

  /** Lanes are painted in the order of what matters, so that one that leaks is seen among thousands that do not. */
  paint(height) {
    const { data, rows, tops, map, ratio, colours } = this.picture;
    const image = document.createElement("canvas");
    image.width = Math.max(1, Math.round(map * ratio));
    image.height = Math.max(1, Math.round(height * ratio));
    const context = image.getContext("2d");
    context.scale(ratio, ratio);
    const scale = height / tops[rows.length];
    const at = (ms) => (ms / data.end) * map;
    const paint = (row, from, to, least) => {
      const tall = (tops[row + 1] - tops[row]) * scale - 0.4;
      context.fillRect(at(from), tops[row] * scale, Math.max(least, at(to) - at(from)), Math.max(least, tall));
    };
    context.fillStyle = colours.line;
    context.globalAlpha = 0.5;
    context.fillRect(0, 0, map, height);
    context.fillStyle = colours.working;
    rows.forEach((lane, row) => {
      if (lane.opened !== null) paint(row, lane.opened, lane.ended ?? data.end_ms, 1);
    });
    context.globalAlpha = 1;
    for (const wanted of ["doubt", "killed", "over"]) {
      context.fillStyle = colours[wanted];
      rows.forEach((lane, row) => {
        if (!lane[wanted]) return;
        for (let bar = lane.first; bar < lane.first + lane.count; bar += 1) {
          if (kindOf(data, bar) !== wanted) continue;
          const last = lastOf(data, bar);
          paint(row, wanted === "over" ? Math.min(dueOf(data, lane, bar), last) : data.bars.first[bar], last, 2);
        }
      });
    }
    return image;
  }
}
