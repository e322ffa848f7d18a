"use strict";
// Draws the page's data, sorts its table, changes its theme. Loads nothing.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  function svg(name, attributes, parent, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  }

  // A window may be without a size while a page opens.
  const widthOf = (place) => Math.max(place.clientWidth, 240);
  const short = (value) =>
    value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : String(+value.toFixed(3));

  // About `count` round numbers that cover [low, high].
  function ticks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-6); k * step <= high + step * 1e-6; k++) found.push(k * step);
    return found;
  }

  // --- Lines ---------------------------------------------------------------------------

  // lines: [[x, y], ...] each; options: x, y: {low, high, label, whole}; dividers: [{x, label}].
  function drawLines(place, title, lines, options) {
    const width = widthOf(place), height = options.height, left = 56, right = 12, top = 20, bottom = 40;
    const { x, y } = options;
    const atX = (v) => left + ((v - x.low) / (x.high - x.low || 1)) * (width - left - right);
    const atY = (v) => height - bottom - ((v - y.low) / (y.high - y.low || 1)) * (height - top - bottom);
    const picture = svg("svg", { width, height, role: "img", "aria-label": title });
    for (const tick of ticks(y.low, y.high, 4)) {
      svg("line", { class: "grid", x1: left, x2: width - right, y1: atY(tick), y2: atY(tick) }, picture);
      svg("text", { x: left - 6, y: atY(tick) + 4, "text-anchor": "end" }, picture, short(tick));
    }
    for (const tick of ticks(x.low, x.high, width < 400 ? 4 : 6)) {
      if (x.whole && !Number.isInteger(tick)) continue;
      svg("text", { x: atX(tick), y: height - bottom + 16, "text-anchor": "middle" }, picture, short(tick));
    }
    svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, picture, x.label);
    if (y.label) svg("text", { x: left, y: 12 }, picture, y.label);
    for (const divider of options.dividers || []) {
      const at = atX(divider.x);
      if (divider.line) svg("line", { class: "divide", x1: at, x2: at, y1: top, y2: height - bottom }, picture);
      svg("text", { x: at + 4, y: top - 4 }, picture, divider.label);
    }
    for (const line of lines) {
      const points = line.map(([a, b]) => `${atX(a).toFixed(1)},${atY(b).toFixed(1)}`).join(" ");
      svg("polyline", { class: "curve", points }, picture);
      if (line.length > 60) continue;
      for (const [a, b] of line) {
        const dot = svg("circle", { class: "dot", cx: atX(a), cy: atY(b), r: 3.5 }, picture);
        svg("title", {}, dot, `${x.label} ${short(a)}: ${short(b)}`);
      }
    }
    place.replaceChildren(picture);
  }

  // One of the values of an epoch, [epoch, loss, learning rate, mAP], of all stages in a row.
  function drawCurve(place, name, column) {
    const lines = [], dividers = [];
    let before = 0;
    for (const stage of data.curves) {
      const points = stage.points.filter((point) => point[column] !== null);
      lines.push(points.map((point) => [before + point[0], point[column]]));
      dividers.push({ x: before || 1, label: stage.name, line: before > 0 });
      before += Math.max(0, ...stage.points.map((point) => point[0]));
    }
    const values = lines.flat().map((point) => point[1]);
    if (!values.length) {
      place.textContent = "Not drawn: it was not measured.";
      return;
    }
    const high = Math.max(...values);
    const title = `${name} by epoch, the last ${short(values[values.length - 1])}`;
    drawLines(place, title, lines, {
      height: 230, dividers,
      x: { low: 1, high: Math.max(before, 2), label: "epoch", whole: true },
      y: { low: 0, high: high > 0 ? high * 1.05 : 1 },
    });
  }

  const select = document.getElementById("pr-class");
  function drawPrecisionRecall(place) {
    const curve = data.precision_recall[Number(select.value)];
    const first = curve.points.length ? [[0, curve.points[0][1]]] : [];
    drawLines(place, `Precision over recall of ${curve.name}`, [[...first, ...curve.points]], {
      height: Math.min(widthOf(place), 420),
      x: { low: 0, high: 1, label: "recall" }, y: { low: 0, high: 1, label: "precision" },
    });
  }

  function drawCalibration(place) {
    const points = data.calibration.points.map((point) => point.slice(0, 2));
    drawLines(place, "Frequency over score, beside the diagonal", [[[0, 0], [1, 1]], points], {
      height: Math.min(widthOf(place), 420),
      x: { low: 0, high: 1, label: "score" }, y: { low: 0, high: 1, label: "frequency" },
    });
  }

  // --- Bars ----------------------------------------------------------------------------

  function drawRates(place) {
    const bars = data.rates, row = 34, width = widthOf(place), left = width < 400 ? 112 : 170;
    const known = bars.map((bar) => bar.mAP).filter((value) => value !== null);
    const high = Math.max(0.01, ...known) * 1.02;
    const title = "mAP by sampling rate: " + bars.map((bar) => `${bar.name} ${bar.mAP === null ? "none" : bar.mAP.toFixed(3)}`).join(", ");
    const picture = svg("svg", { width, height: bars.length * row + 4, role: "img", "aria-label": title });
    bars.forEach((bar, i) => {
      const length = ((bar.mAP || 0) / high) * (width - left - 60), y = i * row + 4;
      svg("text", { class: "value", x: left - 8, y: y + 18, "text-anchor": "end" }, picture, bar.name);
      svg("rect", { class: i === bars.length - 1 ? "rect last" : "rect", x: left, y, width: length, height: row - 8, rx: 3 }, picture);
      svg("text", { class: "value", x: left + length + 6, y: y + 18 }, picture, bar.mAP === null ? "none" : bar.mAP.toFixed(3));
    });
    place.replaceChildren(picture);
  }

  // --- Heat maps -----------------------------------------------------------------------

  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  class HeatMap {
    constructor(place) {
      this.names = data.correlation.names;
      this.matrix = data.correlation[place.dataset.map];
      this.row = this.column = 0;
      this.high = Math.max(1e-9, ...this.matrix.map((row) => Math.max(...row)));
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", `Heat map of ${this.names.length} x ${this.names.length} activities; arrow keys move over its cells`);
      this.cell = document.createElement("p");
      this.cell.className = "cell";
      this.cell.setAttribute("aria-live", "polite");
      this.cell.textContent = `colours from 0 to ${short(this.high)}`;
      place.replaceChildren(this.canvas, this.cell);
      this.place = place;
      this.canvas.addEventListener("keydown", (event) => this.move(event));
      this.canvas.addEventListener("pointermove", (event) => this.point(event));
      this.canvas.addEventListener("pointerdown", (event) => this.point(event));
    }

    draw() {
      const n = this.names.length, width = Math.min(widthOf(this.place), 560);
      const context = this.canvas.getContext("2d");
      context.font = "12px system-ui, sans-serif";
      const widest = Math.max(...this.names.map((name) => context.measureText(name).width));
      // Names stand beside the rows where there is room to read them.
      const left = (width * 0.65) / n >= 12 ? Math.min(widest + 8, width * 0.38) : 0;
      const size = width - left, scale = window.devicePixelRatio || 1;
      Object.assign(this, { left, step: size / n });
      this.canvas.width = width * scale;
      this.canvas.height = size * scale;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${size}px`;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.imageSmoothingEnabled = this.step < 1;
      context.drawImage(this.cells(), left, 0, size, size);
      if (left) this.drawNames(context);
      if (this.chosen) {
        context.strokeStyle = variable("--second");
        context.lineWidth = 2;
        context.strokeRect(left + this.column * this.step, this.row * this.step, this.step, this.step);
      }
    }

    // A canvas with a pixel a cell, made anew where the theme's colours have changed.
    cells() {
      const colours = [variable("--heat-low"), variable("--heat-high")];
      if (this.made && this.made.colours === colours.join()) return this.made.canvas;
      const [low, high] = colours.map(rgb), n = this.names.length;
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = n;
      const context = canvas.getContext("2d"), image = context.createImageData(n, n);
      this.matrix.flat().forEach((value, place) => {
        const share = Math.max(0, value) / this.high;
        low.forEach((from, c) => { image.data[4 * place + c] = Math.round(from + share * (high[c] - from)); });
        image.data[4 * place + 3] = 255;
      });
      context.putImageData(image, 0, 0);
      this.made = { colours: colours.join(), canvas };
      return canvas;
    }

    drawNames(context) {
      context.font = "12px system-ui, sans-serif";
      context.fillStyle = variable("--text");
      context.textAlign = "right";
      context.textBaseline = "middle";
      this.names.forEach((name, i) => {
        let text = name;
        while (text && context.measureText(text === name ? name : text + "\u2026").width > this.left - 6) text = text.slice(0, -1);
        context.fillText(text === name ? name : text + "\u2026", this.left - 6, (i + 0.5) * this.step);
      });
    }

    choose(row, column) {
      const last = this.names.length - 1;
      this.row = Math.min(last, Math.max(0, row));
      this.column = Math.min(last, Math.max(0, column));
      this.chosen = true;
      this.cell.textContent = `${this.names[this.row]} \u2192 ${this.names[this.column]}: ${this.matrix[this.row][this.column].toFixed(3)}`;
      this.draw();
    }

    move(event) {
      const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      if (this.chosen) this.choose(this.row + step[0], this.column + step[1]);
      else this.choose(0, 0);
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - this.left) / this.step);
      if (column >= 0) this.choose(Math.floor((event.clientY - box.top) / this.step), column);
    }
  }

  // --- Drawing all ---------------------------------------------------------------------

  const charts = {
    loss: (place) => drawCurve(place, "loss", 1),
    "learning rate": (place) => drawCurve(place, "learning rate", 2),
    mAP: (place) => drawCurve(place, "validation mAP", 3),
    "precision and recall": drawPrecisionRecall,
    calibration: drawCalibration,
    rates: drawRates,
  };
  const places = [...document.querySelectorAll("[data-chart]")];
  const maps = [...document.querySelectorAll("[data-map]")].map((place) => new HeatMap(place));
  function draw() {
    places.forEach((place) => charts[place.dataset.chart](place));
    maps.forEach((map) => map.draw());
  }
  if (select) select.addEventListener("change", draw);
  let width = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth !== width) {
      width = document.body.clientWidth;
      draw();
    }
  }).observe(document.body);

  // --- The table -----------------------------------------------------------------------

  // Falling numbers first, rising names first; cells without a number stay last.
  function sort(table, column, order) {
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => {
      const cell = row.cells[column];
      if (cell.dataset.value === undefined) return cell.textContent;
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    };
    const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
    });
    table.tBodies[0].append(...rows.map((pair) => pair[1]));
    [...table.tHead.rows[0].cells].forEach((cell, i) =>
      cell.setAttribute("aria-sort", i === column ? order : "none"));
  }
  const table = document.getElementById("ap");
  if (table) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      cell.querySelector("button").addEventListener("click", () => {
        const first = column === 0 ? "ascending" : "descending";
        const other = column === 0 ? "descending" : "ascending";
        sort(table, column, cell.getAttribute("aria-sort") === first ? other : first);
      });
    });
  }

  // --- The theme -----------------------------------------------------------------------

  const root = document.documentElement, button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  // Browsers may forbid a page of a file to remember anything.
  const remembered = (set) => {
    try {
      if (set) localStorage.setItem("theme", set);
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  function show() {
    button.setAttribute("aria-pressed", String(isDark()));
    maps.forEach((map) => map.draw());
  }
  const before = remembered();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
})();
