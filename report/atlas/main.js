// Wiring: controls, keys, the address, and what is drawn when.

let FRAME = 0;

function drawSoon() {
  if (!FRAME) FRAME = requestAnimationFrame(() => { FRAME = 0; drawGrid(); drawTable(); });
}

// Change filters, order or view, and show what follows.
function change(changes) {
  Object.assign(STATE, changes);
  arrange();
  forgetAllShares();
  GRID.element.scrollTop = TABLE.element.scrollTop = 0;
  refresh();
}

function refresh() {
  const grid = STATE.view === "grid", empty = SHOWN.length === 0;
  for (const name of Object.keys(DEFAULTS)) if ($(name) && "value" in $(name)) $(name).value = STATE[name];
  $("range-text").textContent = `${Number(STATE.low).toFixed(2)} to ${Number(STATE.high).toFixed(2)}`;
  $("direction").setAttribute("aria-pressed", String(Boolean(STATE.down)));
  $("direction").textContent = STATE.down ? "↓" : "↑";
  $("direction").setAttribute("aria-label", STATE.down ? "Descending order" : "Ascending order");
  $("view-grid").setAttribute("aria-pressed", String(grid));
  $("view-table").setAttribute("aria-pressed", String(!grid));
  for (const part of document.querySelectorAll(".for-grid")) part.hidden = !grid;
  GRID.element.hidden = !grid || empty;
  TABLE.element.hidden = grid || empty;
  $("none").hidden = !empty || ROWS === 0;
  $("clear").disabled = FILTERS.every(name => STATE[name] === DEFAULTS[name]);
  const of = SHOWN.length === ROWS ? "" : ` of ${ROWS.toLocaleString("en")}`;
  const what = ATTACKED ? "attacked images" : "images";
  $("shown").textContent = `${SHOWN.length.toLocaleString("en")}${of} ${what}. ${sampled()}`;
  if (!empty) {
    if (grid) measureGrid();
    reveal();
    drawGrid();
    drawTable(true);
  }
  drawHistogram();
  showCurrent();
}

function sampled() {
  const {samples, available, limit} = META, n = samples.toLocaleString("en"), all = available.toLocaleString("en");
  if (!samples) return "No sample was mapped and classified correctly.";
  if (!limit) return `All ${n} samples with an essential map.`;
  return `${n} of ${all} samples with an essential map, evenly from each class (limit: ${limit}).`;
}

function reveal() {
  const at = SHOWN.indexOf(CURRENT);
  if (at >= 0) (STATE.view === "grid" ? revealInGrid : revealInTable)(at);
}

function showCurrent() {
  const at = SHOWN.indexOf(CURRENT);
  if (at >= 0) {
    const option = $("active");
    option.textContent = described(CURRENT);
    option.setAttribute("aria-selected", String(SELECTED.has(CURRENT)));
    option.setAttribute("aria-posinset", at + 1);
    option.setAttribute("aria-setsize", SHOWN.length);
  }
  showDetail();
  showSelected();
  writeAddress();
}

function showSelected() {
  $("selected").textContent = SELECTED.size ? `${SELECTED.size.toLocaleString("en")} selected` : "";
  $("unselect").hidden = !SELECTED.size;
  showCurves();
}

// Go to a position. With `run`, select from where the run began to there.
function go(at, {run = false, toggle = false} = {}) {
  if (!SHOWN.length) return;
  at = Math.max(0, Math.min(SHOWN.length - 1, at));
  if (run) for (let i = Math.min(ANCHOR, at); i <= Math.max(ANCHOR, at); i++) SELECTED.add(SHOWN[i]);
  else ANCHOR = at;
  if (toggle && !SELECTED.delete(SHOWN[at])) SELECTED.add(SHOWN[at]);
  CURRENT = SHOWN[at];
  reveal();
  drawGrid();
  drawTable(true);
  showCurrent();
}

function unselect() {
  SELECTED.clear();
  go(SHOWN.indexOf(CURRENT));
}

function onMove(event) {
  const grid = STATE.view === "grid", across = grid ? GRID.across : 1;
  const page = grid ? Math.max(1, Math.floor(GRID.element.clientHeight / rowPitch())) * across : Math.max(1, Math.floor(TABLE.element.clientHeight / LINE) - 2);
  const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity};
  const at = SHOWN.indexOf(CURRENT);
  if (event.key in steps) {
    const to = at + steps[event.key];
    // Up from the first line and down from the last one stay where they are.
    if (Math.abs(steps[event.key]) === across && across > 1 && (to < 0 || to >= SHOWN.length)) return event.preventDefault();
    go(to, {run: event.shiftKey});
  } else if (event.key === "Enter" || event.key === " ") go(at, {toggle: true});
  else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) { for (const row of SHOWN) SELECTED.add(row); go(at); }
  else return;
  event.preventDefault();
}

function onKey(event) {
  if ($("help").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input[type=search], select");
  if (event.key === "Escape" && !typing && SELECTED.size) unselect();
  else if (event.key === "Escape" && event.target === $("text")) (STATE.view === "grid" ? GRID : TABLE).element.focus();
  else if (typing) return;
  else if (event.key === "/") $("text").focus();
  else if (event.key === "?") $("help").showModal();
  else if (event.key === "g") change({view: "grid"});
  else if (event.key === "t") change({view: "table"});
  else if (TILES[Number(event.key) - 1]) change({tile: TILES[Number(event.key) - 1].key});
  else return;
  event.preventDefault();
}

function onClick(event, at) {
  if (at >= 0) go(at, {run: event.shiftKey, toggle: event.ctrlKey || event.metaKey});
}

function fill(id, pairs, first) {
  const options = first === undefined ? [] : [["", first]];
  $(id).replaceChildren(...[...options, ...pairs].map(([value, text]) => make("option", {value, textContent: text})));
}

function buildControls() {
  const numbered = names => names.map((name, i) => [String(i), name]);
  fill("attack", numbered(META.attacks), "all");
  fill("class", numbered(META.classes), "all");
  fill("seen", numbered(META.classes), "any");
  fill("sort", COLUMNS.map(column => [column.key, column.label]));
  fill("tile", TILES.map(tile => [tile.key, tile.label]));
  if (!ATTACKED) for (const part of document.querySelectorAll("#attack, #seen, #outcome, .range")) (part.closest("label") ?? part).hidden = true;
  for (const name of ["attack", "class", "seen", "outcome", "kept", "sort", "tile", "size"]) $(name).addEventListener("change", () => change({[name]: $(name).value}));
  $("text").addEventListener("input", () => change({text: $("text").value}));
  $("low").addEventListener("input", () => change({low: String(Math.min(Number($("low").value), Number(STATE.high)))}));
  $("high").addEventListener("input", () => change({high: String(Math.max(Number($("high").value), Number(STATE.low)))}));
  $("direction").addEventListener("click", () => change({down: STATE.down ? "" : "yes"}));
  for (const id of ["clear", "clear-too"]) $(id).addEventListener("click", () => change(Object.fromEntries(FILTERS.map(name => [name, DEFAULTS[name]]))));
  for (const view of ["grid", "table"]) $(`view-${view}`).addEventListener("click", () => change({view}));
  $("unselect").addEventListener("click", unselect);
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("help-close").addEventListener("click", () => $("help").close());
  $("export").addEventListener("click", save);
  $("export").disabled = false;
  $("controls").addEventListener("submit", event => event.preventDefault());
}

function save() {
  const address = URL.createObjectURL(new Blob([csv()], {type: "text/csv"}));
  make("a", {href: address, download: "atlas.csv"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// How many of all rows have each cosine: drawn above the sliders.
function drawHistogram() {
  if (!ATTACKED) return;
  const canvas = $("histogram"), bins = 50, counts = new Uint32Array(bins);
  for (const cosine of DATA["row.cosine"]) if (cosine >= 0) counts[Math.min(bins - 1, Math.floor(cosine * bins))]++;
  canvas.width = canvas.clientWidth * 2; canvas.height = canvas.clientHeight * 2;
  const context = canvas.getContext("2d"), most = Math.max(1, ...counts), wide = canvas.width / bins;
  counts.forEach((count, i) => {
    const inside = (i + 1) / bins > Number(STATE.low) && i / bins < Number(STATE.high), tall = count / most * (canvas.height - 8);
    context.fillStyle = colourOf(inside ? "--accent" : "--line");
    context.fillRect(i * wide, canvas.height - 8 - tall, wide - 2, tall);
  });
}

function listen() {
  GRID.element.addEventListener("scroll", drawSoon, {passive: true});
  TABLE.element.addEventListener("scroll", drawSoon, {passive: true});
  GRID.element.addEventListener("keydown", onMove);
  TABLE.element.addEventListener("keydown", event => { if (!event.target.closest("button")) onMove(event); });
  GRID.element.addEventListener("click", event => onClick(event, positionAt(event)));
  GRID.element.addEventListener("pointermove", event => { const at = positionAt(event); GRID.element.title = at < 0 ? "" : described(SHOWN[at]); });
  TABLE.body.addEventListener("click", event => onClick(event, Number(event.target.closest("tr").dataset.at ?? -1)));
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", () => { readAddress(); arrange(); forgetAllShares(); refresh(); });
  addEventListener("resize", refresh);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
}

async function start() {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old: it has no DecompressionStream");
  await readData();
  buildControls();
  buildTable();
  buildDetail();
  listen();
  readAddress();
  arrange();
  refresh();
  document.body.dataset.ready = "yes";
}

start().catch(error => { $("shown").textContent = `The data could not be read: ${error.message}`; });
