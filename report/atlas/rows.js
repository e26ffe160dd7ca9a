// Rows: their columns, which are shown and in what order, which are selected; kept in the address after the #.

const clean = name => row => DATA[`clean.${name}`][sampleOf(row)];
const own = name => row => DATA[`row.${name}`][row];
const className = label => label < 0 ? "" : META.classes[label];
const yesNo = value => value ? "yes" : "no";
const fixed = digits => value => Number.isNaN(value) ? "–" : value.toFixed(digits);
const counted = value => value < 0 ? "–" : String(value);
const inPercent = value => Number.isNaN(value) ? "–" : (100 * value).toFixed(2) + " %";

// key, label, group, value for sorting and export, text for reading. Numbers sort with the missing ones last.
const COLUMNS = [
  {key: "sample", label: "Sample", value: row => DATA.ids[sampleOf(row)], sort: sampleOf},
  {key: "class", label: "Class", value: row => className(clean("label")(row)), sort: clean("label")},
  ...(ATTACKED ? [
    {key: "attack", label: "Attack", value: row => META.attacks[own("attack")(row)], sort: own("attack")},
    {key: "seen_as", label: "Seen as", value: row => className(own("fooled")(row)), sort: own("fooled")},
    {key: "cosine", label: "Cosine", number: true, value: own("cosine"), text: fixed(4)},
    {key: "success", label: "Attack succeeded", value: row => yesNo(own("success")(row)), sort: own("success")},
    {key: "linf", label: "ℓ∞ of the change", number: true, value: own("linf"), text: fixed(5)},
    {key: "l2", label: "ℓ2 of the change", number: true, value: own("l2"), text: fixed(4)},
  ] : []),
  ...[["essential", clean], ...(ATTACKED ? [["adversarial", own]] : [])].flatMap(([of, read]) => [
    {key: `steps_${of}`, label: `Steps, ${of}`, number: true, value: row => read("steps")(row) < 0 ? NaN : read("steps")(row), text: v => counted(Number.isNaN(v) ? -1 : v)},
    {key: `sparsity_${of}`, label: `Entries at 0, ${of}`, number: true, value: read("sparsity"), text: inPercent},
    {key: `loss_${of}`, label: `Loss, ${of}`, number: true, value: read("loss"), text: fixed(4)},
    {key: `converged_${of}`, label: `Converged, ${of}`, value: row => mapFlag(row, of, read("converged")), sort: read("converged")},
    {key: `keeps_prediction_${of}`, label: `Keeps prediction, ${of}`, value: row => mapFlag(row, of, read("keeps_prediction")), sort: read("keeps_prediction")},
  ]),
];
const mapFlag = (row, of, value) => hasMap(row, of === "adversarial") ? yesNo(value(row)) : "";
const COLUMN = Object.fromEntries(COLUMNS.map(column => [column.key, column]));
const textOf = (column, row) => (column.text ?? (v => v || "–"))(column.value(row));

// One attack at first, so that every image is seen once.
const DEFAULTS = {view: "grid", tile: "clean", size: "72", sort: "sample", down: "", text: "", attack: ATTACKED ? "0" : "", class: "", seen: "", outcome: "", kept: "", low: "0", high: "1"};
const FILTERS = ["text", "attack", "class", "seen", "outcome", "kept", "low", "high"];
const STATE = {...DEFAULTS};
let SHOWN = new Uint32Array(0);  // rows in the order shown
let CURRENT = -1;                // a row, or -1
const SELECTED = new Set();      // rows
let ANCHOR = 0;                  // position where a run of selected images starts

function fits() {
  const words = STATE.text.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = [];
  if (words.length) tests.push(row => {
    const text = `${DATA.ids[sampleOf(row)]} ${COLUMN.class.value(row)} ${ATTACKED ? COLUMN.attack.value(row) + " " + COLUMN.seen_as.value(row) : ""}`.toLowerCase();
    return words.every(word => text.includes(word));
  });
  const equal = (name, value) => { if (STATE[name] !== "") tests.push(row => value(row) === Number(STATE[name])); };
  equal("class", clean("label"));
  if (ATTACKED) {
    equal("attack", own("attack"));
    equal("seen", own("fooled"));
    if (STATE.outcome) tests.push(row => own("success")(row) === Number(STATE.outcome === "success"));
    const low = Number(STATE.low), high = Number(STATE.high);
    // The whole range keeps rows without a cosine.
    if (low > 0) tests.push(row => own("cosine")(row) >= low);
    if (high < 1) tests.push(row => own("cosine")(row) <= high);
  }
  const both = name => row => clean(name)(row) && (!ATTACKED || (hasMap(row, true) && own(name)(row)));
  if (STATE.kept === "both") tests.push(both("keeps_prediction"));
  if (STATE.kept === "converged") tests.push(both("converged"));
  if (STATE.kept === "lost") tests.push(row => !clean("keeps_prediction")(row) || (hasMap(row, true) && !own("keeps_prediction")(row)));
  return row => tests.every(test => test(row));
}

function arrange() {
  const fit = fits(), rows = [];
  for (let row = 0; row < ROWS; row++) if (fit(row)) rows.push(row);
  const column = COLUMN[STATE.sort], read = column.sort ?? column.value, sign = STATE.down ? -1 : 1;
  const keys = new Float64Array(ROWS);
  for (const row of rows) keys[row] = read(row);
  rows.sort((a, b) => {
    const x = keys[a], y = keys[b], missing = Number.isNaN(x) - Number.isNaN(y);
    return missing || (Number.isNaN(x) ? 0 : sign * (x - y)) || a - b;
  });
  SHOWN = Uint32Array.from(rows);
  if (!SHOWN.includes(CURRENT)) CURRENT = SHOWN.length ? SHOWN[0] : -1;
  ANCHOR = Math.max(0, SHOWN.indexOf(CURRENT));
}

const nameOf = row => ATTACKED ? `${DATA.ids[sampleOf(row)]}, ${META.attacks[own("attack")(row)]}` : DATA.ids[sampleOf(row)];

function described(row) {
  const parts = [nameOf(row), `class ${COLUMN.class.value(row)}`];
  if (ATTACKED) parts.push(`seen as ${COLUMN.seen_as.value(row)}`, `cosine ${textOf(COLUMN.cosine, row)}`);
  return parts.join(", ");
}

function writeAddress() {
  const given = new URLSearchParams();
  if (CURRENT >= 0) {
    given.set("sample", DATA.ids[sampleOf(CURRENT)]);
    if (ATTACKED) given.set("by", META.attacks[own("attack")(CURRENT)]);
  }
  for (const [key, value] of Object.entries(STATE)) if (value !== DEFAULTS[key]) given.set(key, addressed(key, value));
  history.replaceState(null, "", `#${given}`);
}

// Attacks and classes go by name, so that an address still means the same when the study grows.
const NAMED = {attack: META.attacks, class: META.classes, seen: META.classes};
const EVERY = "*";
const addressed = (key, value) => !(key in NAMED) ? value : value === "" ? EVERY : NAMED[key][Number(value)];

function allowed(key, value) {
  if (key === "sort") return value in COLUMN;
  if (key === "low" || key === "high") return Number(value) >= 0 && Number(value) <= 1;
  if (key === "tile") return TILES.some(tile => tile.key === value);
  const options = {view: ["grid", "table"], size: ["48", "72", "120"], down: ["yes", ""], outcome: ["success", "failure"], kept: ["both", "lost", "converged"]};
  return !(key in options) || options[key].includes(value);
}

// What the address names that is not there is left at its default.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  Object.assign(STATE, DEFAULTS);
  for (const key of Object.keys(DEFAULTS)) {
    const value = given.get(key);
    if (value === null) continue;
    if (key in NAMED) {
      const at = NAMED[key].indexOf(value);
      if (at >= 0 || value === EVERY) STATE[key] = at >= 0 ? String(at) : "";
    }
    else if (allowed(key, value)) STATE[key] = value;
  }
  const sample = DATA.ids.indexOf(given.get("sample")), attack = META.attacks.indexOf(given.get("by"));
  CURRENT = -1;
  for (let row = 0; row < ROWS && sample >= 0 && CURRENT < 0; row++) {
    if (sampleOf(row) === sample && (!ATTACKED || attack < 0 || own("attack")(row) === attack)) CURRENT = row;
  }
}

// CSV with every digit; a text is quoted where it must be.
function csv() {
  const quoted = value => /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  const inOrder = new Set(SHOWN);
  const rows = SELECTED.size ? [...inOrder].filter(row => SELECTED.has(row)).concat([...SELECTED].filter(row => !inOrder.has(row))) : SHOWN;
  const lines = Array.from(rows, row => COLUMNS.map(({value}) => { const v = value(row); return Number.isNaN(v) ? "" : quoted(String(v)); }).join(","));
  return [COLUMNS.map(column => column.key).join(","), ...lines].join("\n") + "\n";
}
