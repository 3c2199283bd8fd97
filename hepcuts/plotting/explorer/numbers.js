// Numbers as a reader wants them, and ticks of axes. The whole precision stays in the value of each <data> element.

const MINUS = "\u2212";
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Five significant digits, or all digits before the point; whole numbers without a point. */
function format(value, digits = 5) {
  if (value === null) return "–";
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) {
    text = value.toExponential(digits - 1);
  } else if (Number.isInteger(value)) {
    text = String(value);
  } else {
    text = value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  }
  return text.replace(/-/g, MINUS);
}

/** Likewise without zeros at the end, where numbers do not change. */
function short(value) {
  return format(value).replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

function percent(fraction) {
  return fraction === null ? "–" : `${(100 * fraction).toFixed(2).replace("-", MINUS)} %`;
}

/** A power of ten as a label. */
function power(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** Ticks of a linear axis: major ones with labels, minor ones without, and the power of ten taken out of the labels. */
function linearTicks(low, high, wanted) {
  const raw = (high - low) / wanted;
  const size = 10 ** Math.floor(Math.log10(raw));
  const [factor, parts] = [[1, 5], [2, 4], [2.5, 5], [5, 5], [10, 5]].find(([f]) => f * size >= raw * 0.999);
  const step = factor * size;
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const exponent = largest >= 1e5 || largest < 1e-3 ? Math.floor(Math.log10(largest)) : 0;
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + exponent + (factor === 2.5 ? 1 : 0));
  const ticks = [];
  const minor = step / parts;
  for (let i = Math.ceil(low / minor - 1e-9); i * minor <= high + 1e-9 * step; i += 1) {
    const major = i % parts === 0;
    const label = major ? ((i * minor) / 10 ** exponent).toFixed(decimals).replace(/^-(?=.*[1-9])/, MINUS).replace(/^-/, "") : "";
    ticks.push({ at: i * minor, label, major });
  }
  return { ticks, exponent };
}

/** Ticks of a logarithmic axis: decades with labels, and the numbers 2 to 9 in between. */
function logTicks(low, high) {
  const ticks = [];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((last - first) / 8);
  const few = last - first <= 2;
  for (let exponent = first; exponent <= last; exponent += 1) {
    for (let digit = 1; digit < 10; digit += 1) {
      const at = digit * 10 ** exponent;
      if (at < low * 0.999999 || at > high) continue;
      const major = digit === 1;
      let label = major && exponent % every === 0 ? power(exponent) : "";
      if (few) label = [1, 2, 5].includes(digit) ? format(Number(at.toPrecision(3))) : "";
      ticks.push({ at, label, major });
    }
  }
  return { ticks, exponent: 0 };
}
