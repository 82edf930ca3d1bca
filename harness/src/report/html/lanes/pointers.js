// What pointers do to the lanes: the wheel, a mouse that drags, one finger and two.

class Pointers {
  constructor(view) {
    this.view = view;
    this.drag = null;
    this.touches = new Map();
    const { canvas } = view;
    view.scroller.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => view.zoom(0, view.data.end));
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !this.drag) view.hideTooltip();
    });
  }

  wheel(event) {
    const { view } = this;
    const { from, to, left, right } = view.picture;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoomAt(this.at(event).x, Math.exp(Math.min(60, Math.max(-60, event.deltaY)) / 100));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && to - from < view.data.end) {
      event.preventDefault();
      const by = (event.deltaX / (right - left)) * (to - from);
      view.zoom(from + by, to + by);
    }
  }

  at(event) {
    const { view } = this;
    const box = view.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  press(event) {
    const { view } = this;
    const { x, y } = this.at(event);
    if (event.pointerType === "touch") {
      this.touches.set(event.pointerId, { x, y, startX: x, startY: y });
      if (this.touches.size === 2) this.drag = { kind: "pinch" };
      else this.drag = { kind: view.picture.isOnMap(x) ? "map" : "touch", from: view.picture.from, to: view.picture.to };
      return;
    }
    if (event.button !== 0) return;
    view.canvas.setPointerCapture(event.pointerId);
    this.drag = { kind: view.picture.isOnMap(x) ? "map" : "select", x };
    if (this.drag.kind === "map") this.jump(y);
    else view.hideTooltip();
  }

  move(event) {
    const { view } = this;
    const { x, y } = this.at(event);
    const touch = this.touches.get(event.pointerId);
    if (touch) {
      this.touched(touch, x, y);
      return;
    }
    const { left, right } = view.picture;
    if (this.drag?.kind === "map") this.jump(y);
    else if (this.drag?.kind === "select") {
      const inside = (place) => Math.min(right, Math.max(left, place));
      const [from, to] = [inside(Math.min(x, this.drag.x)), inside(Math.max(x, this.drag.x))];
      view.state.selecting = to - from > 4 ? [from, to] : null;
      view.ask();
    } else if (!this.drag) view.point(x, y);
  }

  /** A finger moves: two zoom, one moves along the time where that is zoomed; up and down is the page's. */
  touched(touch, x, y) {
    const { view } = this;
    const others = [...this.touches.values()].filter((other) => other !== touch);
    if (this.drag?.kind === "pinch" && others.length === 1) {
      const before = Math.max(20, Math.abs(touch.x - others[0].x));
      const after = Math.max(20, Math.abs(x - others[0].x));
      view.zoomAt((x + others[0].x) / 2, before / after);
    } else if (this.drag?.kind === "map") this.jump(y);
    else if (this.drag?.kind === "touch" && this.drag.to - this.drag.from < view.data.end) {
      const { left, right } = view.picture;
      const by = ((touch.startX - x) / (right - left)) * (this.drag.to - this.drag.from);
      if (Math.abs(x - touch.startX) > 6) view.zoom(this.drag.from + by, this.drag.to + by);
    }
    touch.x = x;
    touch.y = y;
  }

  release(event) {
    const { view } = this;
    const { x, y } = this.at(event);
    const touch = this.touches.get(event.pointerId);
    this.touches.delete(event.pointerId);
    const drag = this.drag;
    this.drag = this.touches.size > 0 ? drag : null;
    if (touch) {
      if (drag?.kind === "touch" && Math.hypot(x - touch.startX, y - touch.startY) < 8) {
        view.click(x, y);
        view.point(x, y);
      }
      return;
    }
    const selecting = view.state.selecting;
    view.state.selecting = null;
    if (selecting) view.zoom(view.picture.time(selecting[0]), view.picture.time(selecting[1]));
    else if (drag?.kind === "select") view.click(x, y);
    view.ask();
  }

  cancel(event) {
    const { view } = this;
    this.touches.delete(event.pointerId);
    this.drag = null;
    view.state.selecting = null;
    view.ask();
  }

  /** Scrolls to what the overview shows at a height. */
  jump(y) {
    const { view } = this;
    const { height, tops, rows } = view.picture;
    const all = tops[rows.length];
    view.scroller.scrollTop = ((y - HEAD) / (height - HEAD)) * all - (height - HEAD) / 2;
  }
}
