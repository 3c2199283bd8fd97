// The numbers beside the figure. Every text goes through textContent: a name cannot become markup.

/** Few simulated events: what an optimum rests on is then said in its message, too. */
const FEW = 10;

function make(name, { content = null, ...attributes } = {}, parent = null) {
  const made = document.createElement(name);
  if (content !== null) made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent !== null) parent.append(made);
  return made;
}

/** A label of a metric: upright text, italic letters, roots, indices. */
function formula(pieces) {
  const fragment = document.createDocumentFragment();
  for (const piece of pieces) {
    if (typeof piece === "string") {
      fragment.append(piece);
    } else if (piece[0] === "sqrt") {
      fragment.append("√");
      make("span", { class: "radicand" }, fragment).append(formula(piece[1]));
    } else {
      make(["sub", "sup"].includes(piece[0]) ? piece[0] : "i", {}, fragment).append(formula(piece[1]));
    }
  }
  return fragment;
}

function setNumber(element, value, shown = format(value)) {
  element.value = value === null ? "" : String(value);
  element.textContent = shown;
  element.title = value === null ? "" : String(value);
}

const YIELDS = [
  ["signal", ["Signal ", ["i", ["S"]]], format],
  ["background", ["Background ", ["i", ["B"]]], format],
  ["sigma_background", ["Uncertainty ", ["i", ["σ"]], ["sub", [["i", ["B"]]]]], format],
  ["signal_efficiency", ["Signal efficiency"], percent],
  ["background_efficiency", ["Background efficiency"], percent],
  ["purity", ["Purity ", ["i", ["S"]], "/(", ["i", ["S"]], "+", ["i", ["B"]], ")"], percent],
  ["effective_background", ["Effective simulated background events"], format],
];

function buildYields(list) {
  return YIELDS.map(([name, label, shape]) => {
    const group = make("div", { "data-column": name }, list);
    make("dt", {}, group).append(formula(label));
    const cell = make("data", {}, make("dd", {}, group));
    const note = name === "effective_background" ? make("span", { class: "caution", content: " few" }, cell.parentNode) : null;
    return (row) => {
      const value = scan.columns[name][row];
      setNumber(cell, value, shape(value));
      if (note !== null) note.hidden = value >= FEW;
    };
  });
}

function swatch(number) {
  const root = svg("svg", { viewBox: "0 0 30 14", width: 30, height: 14, "aria-hidden": "true" });
  const color = CURVES[number % CURVES.length];
  svg("path", { d: "M0,7H30", class: "curve", color, "stroke-dasharray": DASHES[number % DASHES.length] }, root);
  svg("path", { d: MARKERS[number % MARKERS.length], transform: "translate(15,7)", class: "best", color }, root);
  return root;
}

/** One row for each metric; returns what shows the numbers of a row of the scan. */
function buildMetrics(body, { onToggle, onGo }) {
  return scan.metrics.map((metric, number) => {
    const line = make("tr", { "data-metric": metric.name }, body);
    const head = make("label", {}, make("th", { scope: "row" }, line));
    const box = make("input", { type: "checkbox", "aria-label": `Show ${metric.text}` }, head);
    head.append(swatch(number), make("span"));
    head.lastChild.append(formula(metric.label));
    const known = metric.optimum !== null;
    box.checked = known;
    box.disabled = !known;
    box.addEventListener("change", () => onToggle(metric, box.checked));
    const value = make("data", {}, make("td", {}, line));
    const share = make("td", { class: "share" }, line);
    const part = make("data", {}, share);
    const bar = make("span", { class: "bar" }, share);
    bar.style.setProperty("--color", CURVES[number % CURVES.length]);
    const last = make("td", {}, line);
    if (known) {
      const best = metric.optimum.thresholds.map((threshold) => format(threshold, 6 - numEdges)).join(" – ");
      const go = make("button", { type: "button", content: best, "aria-label": `Go to the optimum of ${metric.text}` }, last);
      go.title = go.getAttribute("aria-label");
      go.addEventListener("click", () => onGo(metric));
    }
    const why = make("td", { class: "why", colspan: 2 }, line);
    line.insertBefore(why, last);
    return (row, active) => {
      const missing = reason(metric, row);
      [value.parentNode.hidden, share.hidden, why.hidden] = [missing !== null, missing !== null, missing === null];
      why.textContent = missing === null ? "" : `no value: ${missing.text}`;
      const fraction = missing === null ? relative(metric, row) : null;
      setNumber(value, metric.values[row]);
      setNumber(part, fraction, percent(fraction));
      bar.style.width = `${100 * Math.min(1, Math.max(0, fraction ?? 0))}%`;
      line.classList.toggle("active", metric === active);
    };
  });
}

function fillTable(table, heads, rows) {
  const first = make("tr", {}, table.tHead);
  for (const head of heads) make("th", { scope: "col", content: head }, first);
  for (const cells of rows) {
    const line = make("tr", {}, table.tBodies[0]);
    cells.forEach((cell, i) => {
      make(i === 0 ? "th" : "td", i === 0 ? { scope: "row" } : {}, line).append(cell);
    });
  }
}

/** A line for each edge. */
function lines(texts) {
  const fragment = document.createDocumentFragment();
  for (const content of texts ?? ["–"]) make("div", { content }, fragment);
  return fragment;
}

function ranges(pairs) {
  return lines(pairs && pairs.map(([low, high]) => `${format(low)} to ${format(high)}`));
}

/** All optima; fields that no optimum has get no column. */
function buildOptima(table, remarks) {
  const found = scan.metrics.filter((metric) => metric.optimum !== null);
  const has = (field) => found.some((metric) => metric.optimum[field] !== null);
  const columns = [
    ["Best cut", (o) => lines(o.thresholds.map((threshold) => format(threshold, 6)))],
    ["Value", (o) => format(o.value) + (typeof o.uncertainty === "number" ? ` ± ${format(o.uncertainty, 2)}` : "")],
    ["Within 1 %", (o) => ranges(o.plateau)],
    has("statistical_plateau") && ["Within 1 σ", (o) => ranges(o.statistical_plateau)],
    has("interval") && ["68 % of replicas", (o) => ranges(o.interval)],
    has("held_out") && ["On other events", (o) => (typeof o.held_out === "number" ? format(o.held_out) : o.held_out ?? "–")],
  ].filter(Boolean);
  const rows = found.map((metric) => [formula(metric.label), ...columns.map(([, shape]) => shape(metric.optimum))]);
  fillTable(table, ["Metric", ...columns.map(([head]) => head)], rows);
  const said = new Map();
  for (const metric of found) {
    const { message, excluded } = metric.optimum;
    for (const remark of [message, message.includes(excluded) ? null : excluded].filter(Boolean)) {
      said.set(remark, [...(said.get(remark) ?? []), metric]);
    }
  }
  for (const [remark, metrics] of said) {
    const line = make("p", { class: "note" }, remarks);
    line.append(metrics.length === found.length ? "All metrics" : "");
    if (metrics.length < found.length) metrics.forEach((m, i) => line.append(i > 0 ? ", " : "", formula(m.label)));
    line.append(`: ${remark}.`);
  }
}

function buildSamples(legend, table) {
  for (const sample of [...signals, ...[...backgrounds].reverse()]) {
    const item = make("li", { content: sample.name }, legend);
    const key = make("span", { class: sample.signal ? "key line" : "key" });
    key.style.setProperty("--color", colorOf.get(sample));
    item.prepend(key);
  }
  if (backgrounds.length > 0) {
    const item = make("li", { content: "stat. uncertainty" }, legend);
    item.prepend(make("span", { class: "key hatched" }));
  }
  const missing = samples.some((sample) => sample.missing !== 0);
  const fields = ["total", "below", "above", ...(missing ? ["missing"] : [])];
  const heads = ["Events", `below ${short(bins[0])}`, `above ${short(bins.at(-1))}`, ...(missing ? ["no value"] : [])];
  fillTable(table, ["Sample", ...heads], samples.map((sample) => [
    `${sample.name}${sample.signal && !/signal/i.test(sample.name) ? " (signal)" : ""}`, ...fields.map((field) => short(sample[field])),
  ]));
  return missing ? `Events without a value ${scan.missing} the cut.` : "";
}
