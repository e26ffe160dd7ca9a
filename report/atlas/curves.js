// Energy of the maps by ring and by sector of the frequency plane: means over the selected rows, beside all shown.

const KINDS = [
  {key: "essential", label: "essential maps", name: "clean", at: sampleOf},
  ...(ATTACKED ? [{key: "attack", label: "adversarial maps", name: "row", at: row => row, attacked: true}] : []),
];
const AREA_PLOT = {width: 300, height: 150, left: 34, right: 6, top: 14, bottom: 26};

// Mean and standard deviation over rows of the share of energy in each band; null without maps.
function meanShares(rows, kind, which) {
  const values = DATA[`${kind.name}.${which}`], n = META.bands, sum = new Float64Array(n), square = new Float64Array(n);
  let count = 0;
  for (const row of rows) {
    if (!hasMap(row, kind.attacked)) continue;
    count++;
    for (let b = 0, from = kind.at(row) * n; b < n; b++) { const v = values[from + b] / META.one; sum[b] += v; square[b] += v * v; }
  }
  if (!count) return null;
  const mean = sum.map(v => v / count);
  return {count, mean, sd: square.map((v, b) => Math.sqrt(Math.max(0, v / count - mean[b] ** 2)))};
}

const LEAST = 1e-4;  // the lower end of a logarithmic axis
let LOGARITHMIC = false;
let ALL_SHARES = {};  // of all rows shown: found anew only when the filters change

function forgetAllShares() { ALL_SHARES = {}; }

function sharesOfAll(kind, which) {
  return ALL_SHARES[kind.key + which] ??= meanShares(SHOWN, kind, which);
}

const svg = (tag, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

function showCurves() {
  if (CURRENT < 0) return;
  const rows = SELECTED.size ? [...SELECTED] : [CURRENT];
  const whose = SELECTED.size ? `${SELECTED.size.toLocaleString("en")} selected` : "this image";
  const key = make("p", {className: "key"},
    ...KINDS.map(kind => make("span", {className: kind.key}, make("i"), `${kind.label} (${whose})`)),
    make("span", {className: "all"}, make("i"), `mean of all ${SHOWN.length.toLocaleString("en")} shown`), logarithmicBox());
  const plots = make("div", {className: "curves"}, ...["radial", "angular"].map(which => plot(which, rows, whose)));
  $("curves").replaceChildren(key, plots);
}

function logarithmicBox() {
  const box = make("input", {type: "checkbox", id: "log", checked: LOGARITHMIC});
  box.addEventListener("change", () => { LOGARITHMIC = box.checked; showCurves(); $("log").focus(); });
  return make("label", {id: "log-label"}, box, "logarithmic");
}

// From shares to heights in the plot, and the shares to mark.
function verticalAxis(most) {
  const {height, top, bottom} = AREA_PLOT, tall = height - top - bottom;
  if (!LOGARITHMIC) return {y: v => top + (1 - v / most) * tall, ticks: [0, most / 2, most]};
  const low = Math.log10(LEAST), high = Math.max(low + 1, Math.log10(most));
  const ticks = [1, .1, .01, .001, LEAST].filter(v => Math.log10(v) <= high + 1e-9);
  return {y: v => top + (high - Math.log10(Math.max(v, LEAST))) / (high - low) * tall, ticks};
}

const inShares = v => `${Number((100 * v).toPrecision(2))} %`;

function plot(which, rows, whose) {
  const {width, height, left, right, top, bottom} = AREA_PLOT, radial = which === "radial";
  const own = KINDS.map(kind => meanShares(rows, kind, which)), all = KINDS.map(kind => sharesOfAll(kind, which));
  const filled = META.filled[which], bands = [...filled.keys()].filter(b => filled[b]);
  const spread = rows.length > 1;
  const most = Math.max(1e-6, ...[...own, ...all].filter(Boolean).flatMap(s => bands.map(b => s.mean[b] + (spread && own.includes(s) ? s.sd[b] : 0))));
  const {y, ticks} = verticalAxis(most), x = b => left + (b + (radial ? .5 : 0)) / META.bands * (width - left - right);  // rings between bounds, sectors round directions
  const line = values => bands.map((b, i) => `${i ? "L" : "M"}${x(b).toFixed(1)} ${y(values[b]).toFixed(1)}`).join("");
  const drawing = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${radial ? "Radial" : "Angular"} energy of the maps, ${whose}`});
  drawing.append(svg("path", {class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}`}));
  for (const v of ticks) drawing.append(svg("text", {x: left - 4, y: y(v) + 3, "text-anchor": "end"}, inShares(v)));
  const end = radial ? META.corner : 180;
  for (const t of [0, .25, .5, .75, 1]) {
    const text = radial ? (t * end).toFixed(end < 40 ? 1 : 0) : `${Math.round(t * end)}°`;
    drawing.append(svg("text", {x: left + t * (width - left - right), y: height - bottom + 11, "text-anchor": "middle"}, text));
  }
  drawing.append(svg("text", {x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle"}, radial ? "radius, cycles per image" : "direction of the frequency"));
  drawing.append(svg("text", {x: left, y: 8}, `share of the ${radial ? "energy per ring" : "energy per sector, without the origin"}`));
  KINDS.forEach((kind, i) => {
    if (all[i]) drawing.append(svg("path", {class: `${kind.key} all`, d: line(all[i].mean)}));
    if (!own[i]) return;
    if (spread) drawing.append(svg("path", {class: `${kind.key} band`, d: ribbon(own[i], bands, x, y)}));
    drawing.append(svg("path", {class: kind.key, d: line(own[i].mean)}));
  });
  return drawing;
}

// One standard deviation over images to either side, cut off at 0.
function ribbon({mean, sd}, bands, x, y) {
  const up = bands.map(b => `${x(b).toFixed(1)} ${y(mean[b] + sd[b]).toFixed(1)}`);
  const down = bands.map(b => `${x(b).toFixed(1)} ${y(Math.max(0, mean[b] - sd[b])).toFixed(1)}`).reverse();
  return `M${[...up, ...down].join("L")}Z`;
}
