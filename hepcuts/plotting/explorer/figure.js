// The figure: distributions above, metrics below, one axis of the threshold, and a line through both at the cut.

const BACKGROUNDS = ["#3f90da", "#ffa90e", "#94a4a2", "#b9ac70", "#92dadd", "#a96b59", "#717581"];
const SIGNALS = ["#bd1f01", "#832db6", "#e76300"];
const CURVES = ["#3f90da", "#e76300", "#832db6", "#bd1f01", "#a96b59", "#ffa90e", "#92dadd", "#b9ac70", "#717581", "#94a4a2"];
const DASHES = ["none", "7 4", "9 3 2 3", "2 3.5"];
const MARKERS = [
  "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z",
  "M-4,-4h8v8h-8z",
  "M0,-5.5L5.5,0L0,5.5L-5.5,0z",
  "M0,-5.5L5,4H-5z",
  "M0,5.5L5,-4H-5z",
  "M-2,-5.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z",
  "M0,-6.5L1.8,-2.2L6.2,-2L2.8,0.9L3.9,5.3L0,2.9L-3.9,5.3L-2.8,0.9L-6.2,-2L-1.8,-2.2z",
  "M-5,-3l2,-2l3,3l3,-3l2,2l-3,3l3,3l-2,2l-3,-3l-3,3l-2,-2l3,-3z",
  "M5.5,0L-4,5V-5z",
  "M-5.5,0L4,5V-5z",
];
/** A logarithmic axis ends at this fraction of its largest value, however small a weight is. */
const FURTHEST = 1e-6;

const { edges: bins, samples, uncertainty } = scan.spectra;
const backgrounds = samples.filter((sample) => !sample.signal);
const signals = samples.filter((sample) => sample.signal);
/** The colors of a set, then the same darker, and again: no two samples share one. */
function shaded(colors, i) {
  const light = colors[i % colors.length].match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
  return `rgb(${light.map((part) => Math.round(part * 0.6 ** Math.floor(i / colors.length))).join(" ")})`;
}
const colorOf = new Map([
  ...backgrounds.map((sample, i) => [sample, shaded(BACKGROUNDS, i)]),
  ...signals.map((sample, i) => [sample, shaded(SIGNALS, i)]),
]);
const stack = backgrounds.reduce((sums, s) => [...sums, s.values.map((v, i) => v + sums.at(-1)[i])], [bins.slice(1).map(() => 0)]);

function svg(name, attributes = {}, parent = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    key === "color" ? made.style.setProperty("--color", value) : made.setAttribute(key, value);
  }
  if (parent !== null) parent.append(made);
  return made;
}

function text(parent, content, x, y, attributes = {}) {
  svg("text", { x, y, ...attributes }, parent).textContent = content;
}

/** Sizes in CSS pixels, so that letters stay as large on a phone. */
function layout(width) {
  const narrow = width < 520;
  const upper = Math.round(Math.min(340, Math.max(200, 0.44 * width)));
  const lower = Math.round(Math.min(280, Math.max(180, 0.36 * width)));
  const [top, gap] = [20, 34];
  return {
    width,
    height: top + upper + gap + lower + 46,
    left: narrow ? 56 : 64,
    right: width - (narrow ? 8 : 14),
    upper: { top, bottom: top + upper },
    lower: { top: top + upper + gap, bottom: top + upper + gap + lower },
    rail: top + upper + gap / 2,
    wanted: narrow ? 5 : 9,
  };
}

const domain = [
  Math.min(bins[0], ...scan.thresholds.map((edge) => edge.reduce((a, b) => Math.min(a, b)))),
  Math.max(bins.at(-1), ...scan.thresholds.map((edge) => edge.reduce((a, b) => Math.max(a, b)))),
];

function scaleX(frame, value) {
  return frame.left + ((value - domain[0]) / (domain[1] - domain[0])) * (frame.right - frame.left);
}

function valueAt(frame, x) {
  return domain[0] + ((x - frame.left) / (frame.right - frame.left)) * (domain[1] - domain[0]);
}

function scaleY(box, [low, high], log) {
  const of = log ? Math.log10 : (value) => value;
  const [first, last] = [of(low), of(high)];
  return (value) => box.bottom - ((of(log ? Math.max(value, low) : value) - first) / (last - first)) * (box.bottom - box.top);
}

/** Limits of the events per bin, so that all is seen. */
function heights(log) {
  const total = stack.at(-1);
  const all = [...total, ...total.map((v, i) => v + uncertainty[i]), ...signals.flatMap((s) => s.values)];
  const top = Math.max(...all) > 0 ? Math.max(...all) : 1;
  if (!log) return [Math.min(0, 1.05 * Math.min(...all)), 1.06 * top];
  const smallest = all.filter((v) => v > 0).reduce((a, b) => Math.min(a, b), top);
  return [0.5 * Math.max(smallest, FURTHEST * top), 1.6 * top];
}

/** Corners of a histogram from the first edge to the last. */
function steps(frame, y, values) {
  return values.map((v, i) => `${scaleX(frame, bins[i])},${y(v)} ${scaleX(frame, bins[i + 1])},${y(v)}`);
}

function filled(frame, y, below, above) {
  return `M${steps(frame, y, above).join("L")}L${steps(frame, y, below).map((p) => p.split(" ").reverse().join(" ")).reverse().join("L")}z`;
}

function drawAxis(parent, frame, box, scale, along) {
  const horizontal = along === "x";
  for (const { at, label, major } of scale.ticks) {
    const length = major ? 8 : 4;
    const p = horizontal ? scaleX(frame, at) : scale.y(at);
    const d = horizontal
      ? `M${p},${box.bottom}v${-length}M${p},${box.top}v${length}`
      : `M${frame.left},${p}h${length}M${frame.right},${p}h${-length}`;
    svg("path", { d, class: "tick" }, parent);
    if (label === "" || (horizontal && box !== frame.lower)) continue;
    if (horizontal) text(parent, label, p, box.bottom + 18, { "text-anchor": "middle" });
    else text(parent, label, frame.left - 7, p + 4.5, { "text-anchor": "end" });
  }
}

function drawFrame(parent, frame, box) {
  const size = { width: frame.right - frame.left, height: box.bottom - box.top };
  svg("rect", { x: frame.left, y: box.top, ...size, class: "frame" }, parent);
}

function label(parent, frame, box, content) {
  const x = frame.left < 60 ? 11 : 16;
  text(parent, content, -box.top, x, { transform: "rotate(-90)", "text-anchor": "end", class: "label" });
}

function drawSpectra(parent, frame, log) {
  const box = frame.upper;
  const limits = heights(log);
  const y = scaleY(box, limits, log);
  backgrounds.forEach((sample, i) => {
    svg("path", { d: filled(frame, y, stack[i], stack[i + 1]), class: "background", color: colorOf.get(sample) }, parent);
  });
  const total = stack.at(-1);
  if (backgrounds.length > 0) {
    const [low, high] = [-1, 1].map((sign) => total.map((v, i) => v + sign * uncertainty[i]));
    svg("path", { d: filled(frame, y, low, high), class: "uncertainty" }, parent);
  }
  for (const sample of signals) {
    const ends = [bins[0], bins.at(-1)].map((edge) => `${scaleX(frame, edge)},${y(log ? limits[0] : 0)}`);
    const d = `M${[ends[0], ...steps(frame, y, sample.values), ends[1]].join("L")}`;
    svg("path", { d, class: "halo" }, parent);
    svg("path", { d, class: "signal", color: colorOf.get(sample) }, parent);
  }
  const veils = svg("g", {}, parent);
  const scale = log ? logTicks(...limits) : linearTicks(...limits, 5);
  drawAxis(parent, frame, box, { ...scale, y }, "y");
  drawAxis(parent, frame, box, linearTicks(...domain, frame.wanted), "x");
  drawFrame(parent, frame, box);
  const factor = scale.exponent === 0 ? "" : ` (in ${power(scale.exponent)})`;
  label(parent, frame, box, `Events / ${Number((bins[1] - bins[0]).toPrecision(3))}${factor}`);
  drawFlow(parent, frame);
  return veils;
}

/** What lies outside of the bins. */
function drawFlow(parent, frame) {
  const sum = (side) => samples.reduce((total, sample) => total + sample[side], 0);
  const outside = (side) => samples.some((sample) => sample[side] !== 0);
  const y = frame.upper.top - 7;
  if (outside("below")) text(parent, `◂ ${format(sum("below"))} below`, frame.left, y, { class: "flow" });
  if (outside("above")) {
    text(parent, `${format(sum("above"))} above ▸`, frame.right, y, { class: "flow", "text-anchor": "end" });
  }
}

/** Limits of the relative metrics, the same for all slices; more than 1 is only where an optimum may not lie. */
const [lowest, highest] = scan.metrics.reduce(
  (limits, metric) => metric.values.reduce(([low, high], value, row) => {
    const found = value === null ? 0 : relative(metric, row);
    return [Math.min(low, found), Math.max(high, found)];
  }, limits),
  [0, 1],
);
const LIMITS = [Math.max(-1, lowest), Math.min(1.5, Math.max(1.08, 1.04 * highest))];

function drawMetricAxes(parent, frame) {
  const box = frame.lower;
  const y = scaleY(box, LIMITS, false);
  svg("path", { d: `M${frame.left},${y(1)}H${frame.right}`, class: "one" }, parent);
  const curves = svg("g", { "clip-path": "url(#lower)" }, parent);
  drawAxis(parent, frame, box, { ...linearTicks(...LIMITS, 5), y }, "y");
  const scale = linearTicks(...domain, frame.wanted);
  drawAxis(parent, frame, box, scale, "x");
  drawFrame(parent, frame, box);
  label(parent, frame, box, "Relative to best");
  const factor = scale.exponent === 0 ? "" : ` (in ${power(scale.exponent)})`;
  text(parent, edgeName(0).replace("Low edge of ", "") + factor, frame.right, box.bottom + 39, { "text-anchor": "end", class: "label" });
  return curves;
}

/**
 * A curve along a slice: open where the metric has no value. In four parts: where the optimum may lie, and where too few
 * events are left for that; across thresholds that were not evaluated; and a point at either end of these.
 */
function curve(metric, rows, edge, frame, y) {
  const parts = ["", "", "", ""];
  const dot = (point) => `M${point}m-1.6,0a1.6,1.6 0 1,0 3.2,0a1.6,1.6 0 1,0 -3.2,0`;
  let [before, skipped] = [null, false];
  for (const row of rows) {
    const value = relative(metric, row);
    if (value === null) {
      if (reason(metric, row).evaluated) before = null;
      else skipped = true;
      continue;
    }
    const point = `${scaleX(frame, scan.thresholds[edge][row]).toFixed(2)},${y(value).toFixed(2)}`;
    const part = guarded(metric, row) ? 1 : 0;
    if (skipped) {
      parts[3] += dot(point);
      if (before !== null) {
        parts[2] += `M${before.point}L${point}`;
        parts[3] += dot(before.point);
        before = null;
      }
      skipped = false;
    }
    // A part begins where the other one ends.
    const begin = before === null ? `M${point}h0` : `M${before.point}L${point}`;
    parts[part] += before !== null && before.part === part ? `L${point}` : begin;
    before = { point, part };
  }
  return parts;
}

/** Bands, curves, optima, and one point on each curve, which is returned. */
function drawCurves(parent, frame, state) {
  const { edge, held } = state;
  const y = scaleY(frame.lower, LIMITS, false);
  const rows = slice(edge, held);
  parent.replaceChildren();
  const shown = scan.metrics.map((metric, i) => [metric, i]).filter(([m]) => m.optimum !== null && state.visible.has(m));
  drawBand(parent, frame, y, state);
  for (const [metric, i] of shown) {
    const look = { color: CURVES[i % CURVES.length], "stroke-dasharray": DASHES[i % DASHES.length] };
    curve(metric, rows, edge, frame, y).forEach((d, part) => {
      if (d === "" && part > 1) return;
      svg("path", { d, class: ["curve", "curve few", "curve between", "evaluated"][part], "data-metric": metric.name, ...look }, parent);
    });
  }
  for (const [metric, i] of shown) {
    const transform = `translate(${scaleX(frame, metric.optimum.thresholds[edge])},${y(1)})`;
    const look = { color: CURVES[i % CURVES.length], class: onSlice(metric, edge, held) ? "best" : "best elsewhere" };
    svg("path", { d: MARKERS[i % MARKERS.length], transform, ...look }, parent);
  }
  return shown.map(([metric, i]) => [metric, svg("circle", { r: 3.6, class: "point", color: CURVES[i % CURVES.length] }, parent)]);
}

/** Where the chosen metric is within 1 % of its best, and the interval of its optimum if there is one. */
function drawBand(parent, frame, y, { edge, held, active }) {
  if (active === null) return;
  const color = CURVES[scan.metrics.indexOf(active) % CURVES.length];
  const at = (value) => scaleX(frame, value);
  const range = active.optimum.plateau && active.optimum.plateau[edge];
  if (range && onSlice(active, edge, held)) {
    const width = Math.max(1.5, at(range[1]) - at(range[0]));
    const size = { y: frame.lower.top, height: frame.lower.bottom - frame.lower.top };
    svg("rect", { x: at(range[0]), width, ...size, class: "plateau", color }, parent);
  }
  const interval = active.optimum.interval && active.optimum.interval[edge];
  if (interval) {
    const d = `M${at(interval[0])},${y(1.045) - 4}v8M${at(interval[0])},${y(1.045)}H${at(interval[1])}m0,-4v8`;
    svg("path", { d, class: "interval", color }, parent);
  }
}

function drawDefinitions(parent, frame) {
  const definitions = svg("defs", {}, parent);
  const clip = svg("clipPath", { id: "lower" }, definitions);
  const box = frame.lower;
  svg("rect", { x: frame.left, y: box.top, width: frame.right - frame.left, height: box.bottom - box.top }, clip);
  const hatch = { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  svg("path", { d: "M0,0V6", class: "hatching" }, svg("pattern", hatch, definitions));
}

/** The whole figure, without its curves and without the cut. */
function drawFigure(width, log) {
  const frame = layout(width);
  const size = { viewBox: `0 0 ${frame.width} ${frame.height}`, width: frame.width, height: frame.height };
  const root = svg("svg", { ...size, role: "img", "aria-label": `Distributions of ${scan.variable}, and metrics relative to their best` });
  drawDefinitions(root, frame);
  const veils = drawSpectra(root, frame, log);
  const curves = drawMetricAxes(root, frame);
  svg("path", { d: `M${frame.left},${frame.rail}H${frame.right}`, class: "rail" }, root);
  return { root, frame, veils, curves, cut: svg("g", {}, root), points: [] };
}

/** Cut lines, veils over what is rejected, points on the curves. */
function moveCut({ frame, veils, cut, points }, { row }) {
  const at = scan.thresholds.map((edge) => scaleX(frame, edge[row]));
  const limits = [frame.left, frame.right];
  scan.signs.forEach((sign, edge) => { limits[sign > 0 ? 0 : 1] = at[edge]; });
  const box = frame.upper;
  const tall = { y: box.top, height: box.bottom - box.top };
  veils.replaceChildren();
  svg("rect", { x: limits[0], width: Math.max(0, limits[1] - limits[0]), ...tall, class: "accepted" }, veils);
  svg("rect", { x: frame.left, width: Math.max(0, limits[0] - frame.left), ...tall, class: "rejected" }, veils);
  svg("rect", { x: limits[1], width: Math.max(0, frame.right - limits[1]), ...tall, class: "rejected" }, veils);
  cut.replaceChildren();
  at.forEach((x, edge) => {
    svg("path", { d: `M${x},${box.top}V${frame.lower.bottom}`, class: "cut" }, cut);
    const left = numEdges === 2 ? edge === 0 : x > frame.right - 80;
    const shift = left ? { x: x - 14, "text-anchor": "end" } : { x: x + 14 };
    text(cut, format(scan.thresholds[edge][row], 6), shift.x, frame.rail + 4.5, { ...shift, class: "value" });
  });
  const y = scaleY(frame.lower, LIMITS, false);
  for (const [metric, point] of points) {
    const value = relative(metric, row);
    point.setAttribute("visibility", value === null ? "hidden" : "visible");
    point.setAttribute("cy", value === null ? 0 : y(value));
    point.setAttribute("cx", at[point.edge]);
  }
  return at;
}
