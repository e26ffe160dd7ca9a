// The table: only the rows in sight are in the document; empty rows above and below keep the height of the others.

const LINE = 29, SPARE = 8;
const TABLE = {element: $("table"), body: $("table").querySelector("tbody"), first: -1, last: -1};

function buildTable() {
  const head = TABLE.element.querySelector("thead tr");
  for (const column of COLUMNS) {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col"; cell.className = column.number ? "number" : ""; cell.dataset.key = column.key;
    button.type = "button"; button.textContent = column.label;
    button.addEventListener("click", () => {
      change({sort: column.key, down: STATE.sort === column.key && !STATE.down ? "yes" : ""});
    });
    cell.append(button);
    head.append(cell);
  }
}

function drawTable(anew = false) {
  if (STATE.view !== "table") return;
  const {scrollTop, clientHeight} = TABLE.element;
  const first = Math.max(0, Math.floor(scrollTop / LINE) - SPARE);
  const last = Math.min(SHOWN.length, first + Math.ceil(clientHeight / LINE) + 2 * SPARE);
  if (!anew && first === TABLE.first && last === TABLE.last) return;
  Object.assign(TABLE, {first, last});
  const rows = [filler(first)];
  for (let at = first; at < last; at++) rows.push(tableRow(at));
  TABLE.body.replaceChildren(...rows, filler(SHOWN.length - last));
  TABLE.element.querySelector("table").setAttribute("aria-rowcount", SHOWN.length + 1);
  for (const cell of TABLE.element.querySelectorAll("th")) {
    cell.setAttribute("aria-sort", cell.dataset.key !== STATE.sort ? "none" : STATE.down ? "descending" : "ascending");
  }
}

function filler(count) {
  const row = document.createElement("tr"), cell = document.createElement("td");
  row.className = "filler"; row.setAttribute("aria-hidden", "true");
  cell.colSpan = COLUMNS.length; cell.style.height = `${count * LINE}px`;
  row.append(cell);
  return row;
}

function tableRow(at) {
  const row = SHOWN[at], line = document.createElement("tr");
  line.setAttribute("aria-rowindex", at + 2);
  line.dataset.at = at;
  line.classList.toggle("current", row === CURRENT);
  line.classList.toggle("chosen", SELECTED.has(row));
  if (row === CURRENT) line.setAttribute("aria-current", "true");
  for (const column of COLUMNS) {
    const cell = document.createElement("td");
    cell.textContent = textOf(column, row);
    if (column.number) cell.className = "number";
    line.append(cell);
  }
  return line;
}

function revealInTable(at) {
  const y = at * LINE, {scrollTop, clientHeight} = TABLE.element, head = TABLE.element.querySelector("thead").offsetHeight;
  if (y < scrollTop) TABLE.element.scrollTop = y;
  else if (y + LINE + head > scrollTop + clientHeight) TABLE.element.scrollTop = y + LINE + head - clientHeight;
}
