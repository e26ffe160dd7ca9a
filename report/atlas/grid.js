// The grid: one canvas as large as the window, on which the visible tiles are drawn from sprite sheets.

const TILES = [
  {key: "clean", label: "clean images", id: sampleOf, draw: (row, put) => put(imageOf(row, "clean"), plain)},
  ...(ATTACKED ? [
    {key: "adversarial", label: "adversarial images", id: row => row, draw: (row, put) => put(imageOf(row, "adversarial"), plain)},
    {key: "change", label: "changes, each scaled", id: row => row, draw: (row, put) => { const v = imageOf(row, "change"); put(v, changeShade(largest(v))); }},
  ] : []),
  {key: "essential", label: "essential maps", id: sampleOf, draw: (row, put) => put(mapOf(row, false), root)},
  ...(ATTACKED ? [{key: "attacking", label: "adversarial maps", id: row => row, draw: (row, put) => put(mapOf(row, true), root)}] : []),
];
const PER_SIDE = 16, PER_SHEET = PER_SIDE * PER_SIDE, SHEETS_KEPT = 48, GAP = 8;
const SHEETS = new Map();  // "tile:number" to {canvas, context, done}; the least recently used one first
const $ = id => document.getElementById(id);
const GRID = {element: $("grid"), canvas: $("tiles"), across: 1, side: 72, cell: 80};

function sheet(tile, number) {
  const key = `${tile.key}:${number}`;
  let found = SHEETS.get(key);
  if (found) SHEETS.delete(key);
  else {
    const canvas = document.createElement("canvas");
    canvas.width = W * PER_SIDE; canvas.height = H * PER_SIDE;
    found = {canvas, context: canvas.getContext("2d"), done: new Uint8Array(PER_SHEET)};
    if (SHEETS.size >= SHEETS_KEPT) SHEETS.delete(SHEETS.keys().next().value);
  }
  SHEETS.set(key, found);
  return found;
}

// Where a row's tile lies on its sheet; drawn there the first time. All tiles in sight are put on their sheets before
// any is copied from one: a browser copies a sheet that changes after it was read.
function sprite(tile, row) {
  const id = tile.id(row), place = id % PER_SHEET, from = sheet(tile, Math.floor(id / PER_SHEET));
  const x = (place % PER_SIDE) * W, y = Math.floor(place / PER_SIDE) * H;
  if (!from.done[place]) {
    const pixels = new ImageData(W, H);
    tile.draw(row, (values, shade) => drawColours(pixels.data, values, shade));
    from.context.putImageData(pixels, x, y);
    from.done[place] = 1;
  }
  return {canvas: from.canvas, x, y};
}

const colourOf = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function measureGrid() {
  const width = GRID.element.clientWidth;
  GRID.side = Number(STATE.size);
  GRID.cell = GRID.side + GAP;
  GRID.across = Math.max(1, Math.floor((width - GAP) / GRID.cell));
  const ratio = devicePixelRatio || 1, height = GRID.element.clientHeight;
  GRID.canvas.width = Math.round(width * ratio); GRID.canvas.height = Math.round(height * ratio);
  GRID.canvas.style.width = `${width}px`; GRID.canvas.style.height = `${height}px`;
  const total = Math.ceil(SHOWN.length / GRID.across) * (GRID.cell + 6) + GAP;
  $("space").style.height = `${Math.max(0, total - height)}px`;
  GRID.colours = {accent: colourOf("--accent"), line: colourOf("--line"), well: colourOf("--well"), paper: colourOf("--paper")};
}

const rowPitch = () => GRID.cell + 6;  // room for the bar of the cosine below a tile

function drawGrid() {
  if (STATE.view !== "grid") return;
  const context = GRID.canvas.getContext("2d"), ratio = devicePixelRatio || 1;
  const tile = TILES.find(t => t.key === STATE.tile), top = GRID.element.scrollTop, height = GRID.element.clientHeight;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, GRID.element.clientWidth, height);
  context.imageSmoothingEnabled = W > GRID.side;
  const first = Math.max(0, Math.floor((top - GAP) / rowPitch()) * GRID.across);
  const last = Math.min(SHOWN.length, (Math.floor((top + height) / rowPitch()) + 1) * GRID.across);
  const sprites = Array.from(SHOWN.subarray(first, last), row => sprite(tile, row));
  for (let at = first; at < last; at++) drawTile(context, sprites[at - first], at, top);
}

function drawTile(context, from, at, top) {
  const row = SHOWN[at], {side, colours} = GRID;
  const x = GAP + (at % GRID.across) * GRID.cell, y = GAP + Math.floor(at / GRID.across) * rowPitch() - top;
  context.drawImage(from.canvas, from.x, from.y, W, H, x, y, side, side * H / W);
  if (ATTACKED) {
    const cosine = own("cosine")(row);
    context.fillStyle = colours.line;
    context.fillRect(x, y + side + 3, side, 3);
    context.fillStyle = colours.accent;
    if (cosine > 0) context.fillRect(x, y + side + 3, side * cosine, 3);
  }
  if (SELECTED.has(row)) outline(context, x, y, side, colours.paper, 3);
  if (row === CURRENT) outline(context, x, y, side, colours.accent, 2, 2);
}

function outline(context, x, y, side, colour, width, out = 0) {
  context.strokeStyle = colour; context.lineWidth = width;
  context.strokeRect(x - out - width / 2 + 1, y - out - width / 2 + 1, side + 2 * out + width - 2, side + 2 * out + width - 2);
}

// The position under a point of the window, or -1.
function positionAt(event) {
  const box = GRID.element.getBoundingClientRect();
  const x = event.clientX - box.left - GAP, y = event.clientY - box.top - GAP + GRID.element.scrollTop;
  const column = Math.floor(x / GRID.cell), at = Math.floor(y / rowPitch()) * GRID.across + column;
  return x >= 0 && y >= 0 && column < GRID.across && at < SHOWN.length ? at : -1;
}

function revealInGrid(at) {
  const y = Math.floor(at / GRID.across) * rowPitch(), {scrollTop, clientHeight} = GRID.element;
  if (y < scrollTop) GRID.element.scrollTop = y;
  else if (y + rowPitch() + GAP > scrollTop + clientHeight) GRID.element.scrollTop = y + rowPitch() + GAP - clientHeight;
}
