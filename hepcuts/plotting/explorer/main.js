// What the reader does, and what changes then.

const find = (id) => document.getElementById(id);
const drawing = find("drawing");
document.querySelector("main").hidden = false;

const known = scan.metrics.filter((metric) => metric.optimum !== null);
const active = known.at(-1) ?? null;
const tallest = (values) => values.reduce((a, b) => Math.max(a, b), 0);
const state = {
  row: active === null ? Math.floor(numRows / 2) : rowOf(active.optimum.thresholds),
  edge: 0,
  held: null,
  active,
  visible: new Set(known),
  // A signal that would not be seen beside the background.
  log: signals.some((sample) => tallest(sample.values) < 0.02 * tallest(stack.at(-1))),
};
let figure = null;

const grips = scan.signs.map((_, edge) => {
  const about = { "aria-label": edgeName(edge), "aria-orientation": "horizontal" };
  const grip = make("div", { class: "grip", role: "slider", tabindex: 0, "data-edge": edge, ...about }, drawing);
  grip.addEventListener("keydown", (event) => onKey(event, edge));
  return grip;
});
const updates = [
  ...buildYields(find("yields")),
  ...buildMetrics(document.querySelector("#metrics tbody"), {
    onToggle: (metric, visible) => {
      state.visible[visible ? "add" : "delete"](metric);
      redraw();
    },
    onGo: (metric) => {
      state.active = metric;
      state.row = rowOf(metric.optimum.thresholds);
      hold(state.edge);
    },
  }),
];

/** One edge may move, the other is held where it is. */
function hold(edge) {
  state.edge = edge;
  state.held = numEdges === 1 ? null : scan.thresholds[1 - edge][state.row];
  redraw();
}

function showNumbers() {
  const { row } = state;
  document.querySelector("#cut output").textContent = inWords(row);
  find("code").textContent = inCode(row);
  for (const update of updates) update(row, state.active);
  const at = moveCut(figure, state);
  grips.forEach((grip, edge) => {
    const rows = slice(edge, edge === state.edge || numEdges === 1 ? state.held : scan.thresholds[1 - edge][row]);
    const of = (r) => scan.thresholds[edge][r];
    grip.style.left = `${(100 * at[edge]) / figure.frame.width}%`;
    grip.style.top = `${(100 * figure.frame.rail) / figure.frame.height}%`;
    grip.setAttribute("aria-valuemin", of(rows[0]));
    grip.setAttribute("aria-valuemax", of(rows.at(-1)));
    grip.setAttribute("aria-valuenow", of(row));
    const yields = `signal ${format(scan.columns.signal[row])}, background ${format(scan.columns.background[row])}`;
    grip.setAttribute("aria-valuetext", `${inWords(row)}: ${yields}`);
    grip.classList.toggle("active", numEdges === 2 && edge === state.edge);
  });
}

/** Curves anew: another slice, another choice of metrics. */
function redraw() {
  figure.points = drawCurves(figure.curves, figure.frame, state);
  for (const [, point] of figure.points) point.edge = state.edge;
  showNumbers();
  find("relative").textContent = explanation();
}

/** The figure anew: another size, another axis. */
function rebuild() {
  const width = Math.max(300, Math.floor(drawing.clientWidth));
  const made = drawFigure(width, state.log);
  if (figure === null) drawing.prepend(made.root);
  else figure.root.replaceWith(made.root);
  figure = made;
  redraw();
}

function explanation() {
  const losses = scan.metrics.some((metric) => metric.sign < 0) ? "; of a loss, the best over the value" : "";
  const band = state.active === null ? "" : ` Band: where ${state.active.text} is within 1 % of its best.`;
  const along = numEdges === 2 ? ` Curves: along the ${["low", "high"][state.edge]} edge, with the other where it is, or next to it.` : "";
  const some = scan.metrics.some((metric) => metric.values.some((value, row) => value !== null && guarded(metric, row)));
  const few = some ? " Pale: too few events, simulated or expected, for an optimum." : "";
  return `Of best: the value over the best${losses}.${band}${along}${few}`;
}

function moveTo(row) {
  if (row === state.row) return;
  state.row = row;
  showNumbers();
}

function onKey(event, edge) {
  if (edge !== state.edge) hold(edge);
  const rows = slice(edge, state.held);
  const page = Math.max(2, Math.round(rows.length / 20));
  const moves = {
    ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page, Home: -Infinity, End: Infinity,
  };
  if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  moveTo(rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(state.row) + moves[event.key]))]);
}

let drag = null;

function pointerX(event) {
  const place = figure.root.getBoundingClientRect();
  return ((event.clientX - place.left) * figure.frame.width) / place.width;
}

function toPointer(event) {
  const { edge, held } = state;
  moveTo(nearest(slice(edge, held), edge, valueAt(figure.frame, pointerX(event))));
}

/** The edge whose line is nearest. */
function edgeAt(event) {
  const at = scan.thresholds.map((edge) => scaleX(figure.frame, edge[state.row]));
  return numEdges === 2 && pointerX(event) > (at[0] + at[1]) / 2 ? 1 : 0;
}

drawing.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || drag !== null) return;
  const grip = event.target.closest(".grip");
  const edge = grip === null ? edgeAt(event) : Number(grip.dataset.edge);
  // A finger on the figure may want to scroll the page: it has to move sideways first.
  drag = { id: event.pointerId, from: event.clientX, moves: event.pointerType !== "touch" || grip !== null };
  drawing.setPointerCapture(event.pointerId);
  grips[edge].focus({ preventScroll: true });
  hold(edge);
  event.preventDefault();
  if (drag.moves) toPointer(event);
});
drawing.addEventListener("pointermove", (event) => {
  if (drag === null || drag.id !== event.pointerId) return;
  drag.moves ||= Math.abs(event.clientX - drag.from) > 6;
  if (drag.moves) toPointer(event);
});
for (const end of ["pointerup", "pointercancel"]) {
  drawing.addEventListener(end, (event) => {
    if (drag === null || drag.id !== event.pointerId) return;
    if (end === "pointerup") toPointer(event);
    drag = null;
  });
}
grips.forEach((grip, edge) => grip.addEventListener("focus", () => {
  if (edge !== state.edge) hold(edge);
}));

const log = find("log");
log.checked = state.log;
log.addEventListener("change", () => {
  state.log = log.checked;
  rebuild();
});

find("absent").textContent = buildSamples(find("samples"), find("totals"));
buildOptima(find("best"), find("remarks"));
const kind = numEdges === 1 ? "thresholds" : "windows";
find("scope").textContent = numRows === scan.num_thresholds
  ? `All ${scan.num_thresholds} ${kind} of the scan.`
  : `${numRows} of ${scan.num_thresholds} ${kind}: all optima and the ends of their ranges, of the others an even part by rank. Every number is that of the scan.`;
if (numEdges === 2) state.held = scan.thresholds[1][state.row];
rebuild();
new ResizeObserver(() => {
  if (Math.abs(drawing.clientWidth - figure.frame.width) >= 1 && drawing.clientWidth >= 300) rebuild();
}).observe(drawing);
