// The scan: rows of numbers, one for each threshold shown (for a window: for each pair of edges).

const scan = JSON.parse(document.getElementById("data").textContent);
const numRows = scan.thresholds[0].length;
const numEdges = scan.signs.length;

/** The grid of the scan, which is finer around its optima: the edges that are in as many windows as all pairs of them. */
const grid = new Set();
if (numEdges === 2) {
  const counts = new Map();
  for (const edge of scan.thresholds) for (const value of edge) counts.set(value, (counts.get(value) ?? 0) + 1);
  // All pairs of n edges: each of them is in n - 1 windows.
  const least = [...counts.values()].sort((a, b) => b - a).reduce((last, count, i) => (count >= i ? i : last), 0);
  for (const [value, count] of counts) if (count >= least) grid.add(value);
}
const slices = new Map();

/**
 * Rows that are reached by moving one edge while the other is held at a value, ascending. Not every edge was scanned
 * with every other one: where the held one is none of the grid, its neighbor on the grid stands in for it.
 */
function slice(edge, held) {
  const key = `${edge} ${held}`;
  if (!slices.has(key)) {
    const at = scan.thresholds[edge];
    const others = numEdges === 1 ? null : scan.thresholds[1 - edge];
    const far = (row) => (others === null ? 0 : Math.abs(others[row] - held));
    const reach = [...grid].reduce((least, value) => Math.min(least, Math.abs(value - held)), numEdges === 1 ? 0 : Infinity);
    const found = new Map();
    for (let row = 0; row < numRows; row += 1) {
      if (far(row) <= reach && !(found.has(at[row]) && far(found.get(at[row])) <= far(row))) found.set(at[row], row);
    }
    slices.set(key, [...found.values()].sort((a, b) => at[a] - at[b]));
  }
  return slices.get(key);
}

/** The row of a slice that is nearest to a value of its edge. */
function nearest(rows, edge, value) {
  const at = scan.thresholds[edge];
  let [low, high] = [0, rows.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at[rows[middle]] <= value) low = middle;
    else high = middle;
  }
  return value - at[rows[low]] <= at[rows[high]] - value ? rows[low] : rows[high];
}

/** The row of given thresholds, or -1. */
function rowOf(thresholds) {
  return scan.thresholds[0].findIndex((_, row) => thresholds.every((value, edge) => scan.thresholds[edge][row] === value));
}

/** A metric on a scale on which its best value is 1 and all else is less; null where it has no value. */
function relative(metric, row) {
  const value = metric.values[row];
  if (value === null) return null;
  const best = metric.optimum.value;
  // If the best is not positive no ratio keeps the order; then the distance to it counts, in units of the range.
  if (best > 0) return metric.sign > 0 ? value / best : best / value;
  return 1 - Math.abs(value - best) / (metric.range[1] - metric.range[0] || 1);
}

/** Why a metric has no value, or null if it has one. */
function reason(metric, row) {
  return row in metric.why ? scan.reasons[metric.why[row]] : null;
}

/** Whether a figure of merit rests on so few events that the scan's optimum may not lie there. */
function guarded(metric, row) {
  return metric.allowed[row] === "0";
}

/** Whether a window's optimum has the edge that is held; a cut has no other edge. */
function onSlice(metric, edge, held) {
  return numEdges === 1 || metric.optimum.thresholds[1 - edge] === held;
}

/** The cut at a row as one reads it. */
function inWords(row) {
  const at = scan.thresholds.map((edge) => format(edge[row], 6));
  if (numEdges === 2) return `${at[0]} < ${scan.variable} < ${at[1]}`;
  return `${scan.variable} ${scan.signs[0] > 0 ? ">" : "<"} ${at[0]}`;
}

/** The cut at a row as Python writes it, with all digits. */
function inCode(row) {
  const at = scan.thresholds.map((edge) => edge[row]);
  const name = JSON.stringify(scan.variable);
  const missing = scan.missing === "fail" ? "" : `, missing=${JSON.stringify(scan.missing)}`;
  if (numEdges === 2) return `hepcuts.Window(${name}, ${at[0]}, ${at[1]}${missing})`;
  return `hepcuts.Cut(${name}, "${scan.signs[0] > 0 ? ">" : "<"}", ${at[0]}${missing})`;
}

function edgeName(edge) {
  const kind = numEdges === 1 ? "Threshold" : ["Low edge", "High edge"][edge];
  return `${kind} of ${scan.variable}`;
}
