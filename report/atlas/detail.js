// The pane of one image: pictures on their axes, what the network answers, the numbers.

const FIGURES = [
  {key: "clean", label: "Clean image", values: row => imageOf(row, "clean"), shade: () => plain},
  {key: "clean-spectrum", label: "Spectrum", spectrum: true, values: row => spectrumOf(row, "clean")},
  {key: "essential", label: "Essential map", map: true, values: row => mapOf(row, false), shade: () => root},
  {key: "clean-filtered", label: "Seen through it", values: row => filteredOf(row, false), shade: () => plain},
  ...(ATTACKED ? [
    {key: "adversarial", label: "Adversarial image", values: row => imageOf(row, "adversarial"), shade: () => plain},
    {key: "adversarial-spectrum", label: "Spectrum", spectrum: true, values: row => spectrumOf(row, "adversarial")},
    {key: "attacking", label: "Adversarial map", map: true, attacked: true, values: row => mapOf(row, true), shade: () => root},
    {key: "adversarial-filtered", label: "Seen through it", attacked: true, values: row => filteredOf(row, true), shade: () => plain},
    {key: "change", label: "Change", values: row => imageOf(row, "change"), shade: values => changeShade(largest(values))},
    {key: "change-spectrum", label: "Change’s spectrum", spectrum: true, values: row => spectrumOf(row, "change")},
  ] : []),
];
// Room for the longest frequency on the left.
const AXIS = {left: 10 + 6 * String(Math.floor(Math.max(FULL_H, FULL_W) / 2)).length, bottom: 15, right: 4, top: 4};
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function buildDetail() {
  const figures = make("div", {className: "figures"});
  for (const figure of FIGURES) {
    figure.canvas = make("canvas");
    figure.canvas.setAttribute("role", "img");
    figure.caption = make("figcaption", {textContent: figure.label});
    figure.caption.style.paddingLeft = `${AXIS.left}px`;
    figure.canvas.addEventListener("pointermove", event => readOut(figure, event));
    figure.canvas.addEventListener("pointerleave", () => { $("readout").textContent = HINT; });
    figures.append(make("figure", {}, figure.caption, figure.canvas));
  }
  figures.append(legend());
  $("detail").append(
    make("div", {className: "top"}, make("h2", {id: "name"})), make("ul", {className: "tags", id: "tags"}),
    figures, make("p", {id: "readout", textContent: HINT}),
    make("h3", {textContent: "What the network answers"}), make("div", {className: "answers", id: "answers"}),
    make("h3", {textContent: "Energy of the maps"}), make("div", {id: "curves"}),
    make("h3", {textContent: "Numbers"}), make("dl", {className: "numbers", id: "numbers"}),
  );
}

const HINT = "Point at a picture to read its values.";

function legend() {
  const ramp = make("div", {className: "ramp"});
  ramp.style.background = `linear-gradient(90deg, ${STOPS.map(stop => `rgb(${stop})`).join(", ")})`;
  const ends = make("div", {className: "ends"}, make("span", {textContent: `≤ ${LOG_LOW.toFixed(1).replace("-", "−")}`}), make("span", {textContent: LOG_HIGH.toFixed(1)}));
  const block = META.block > 1 ? ` Pictures are averages over ${META.block} × ${META.block} pixels or frequencies.` : "";
  return make("div", {className: "legend"}, "Spectra: log₁₀|F x|", ramp, ends, `Axes: signed frequencies, in cycles per image.${block}`, ...(ATTACKED ? [make("div", {id: "scaled"})] : []));
}

const missing = (figure, row) => figure.attacked && !hasMap(row, true);

function drawFigure(figure, row) {
  const width = figure.canvas.clientWidth || 140, ratio = devicePixelRatio || 1;
  const side = width - AXIS.left - AXIS.right, tall = Math.round(side * H / W), height = tall + AXIS.top + AXIS.bottom;
  figure.canvas.width = Math.round(width * ratio); figure.canvas.height = Math.round(height * ratio);
  figure.canvas.style.height = `${height}px`;
  figure.box = {side, tall};
  const context = figure.canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "10px " + getComputedStyle(document.body).fontFamily;
  context.fillStyle = colourOf("--muted");
  figure.canvas.setAttribute("aria-label", `${figure.label} of ${nameOf(row)}`);
  figure.seen = missing(figure, row) ? null : figure.values(row);
  if (figure.seen === null) {
    context.fillText("no map", AXIS.left + 4, AXIS.top + 14);
    return;
  }
  const pixels = new ImageData(W, H), small = make("canvas", {width: W, height: H});
  if (figure.spectrum) drawSpectrum(pixels.data, figure.seen);
  else drawColours(pixels.data, figure.seen, figure.shade(figure.seen));
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, AXIS.left, AXIS.top, side, tall);
  if (figure.spectrum || figure.map) drawAxes(context, side, tall);
}

// Ticks at the least frequency, at 0 and at the greatest; the origin's entry lies in the middle of its pixel.
function drawAxes(context, side, tall) {
  for (const [n, length, across] of [[FULL_W, side, true], [FULL_H, tall, false]]) {
    const least = -Math.floor(n / 2);
    for (const k of [least, 0, least + n - 1]) {
      const at = (k - least + .5) / n * length, text = String(k).replace("-", "−");
      context.textAlign = across ? (k === least ? "left" : k > 0 ? "right" : "center") : "right";
      context.textBaseline = across ? "top" : k === least ? "top" : k > 0 ? "bottom" : "middle";
      if (across) context.fillText(text, AXIS.left + (k === least ? 0 : k > 0 ? length : at), AXIS.top + tall + 4);
      else context.fillText(text, AXIS.left - 4, AXIS.top + (k === least ? 0 : k > 0 ? length : at));
      context.fillRect(...(across ? [AXIS.left + at - .5, AXIS.top + tall, 1, 3] : [AXIS.left - 3, AXIS.top + at - .5, 3, 1]));
    }
  }
}

function readOut(figure, event) {
  const box = figure.canvas.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left - AXIS.left) / figure.box.side * W);
  const y = Math.floor((event.clientY - box.top - AXIS.top) / figure.box.tall * H);
  if (!figure.seen || x < 0 || y < 0 || x >= W || y >= H) { $("readout").textContent = HINT; return; }
  const shown = v => v.toFixed(3).replace("-", "−");
  const value = figure.spectrum ? `log₁₀|F x| = ${shown(Math.log10(Math.max(figure.seen[y * W + x], 1e-30)))}`
    : Array.from({length: CHANNELS}, (_, c) => shown(figure.seen[c * AREA + y * W + x])).join(", ");
  const place = figure.spectrum || figure.map ? `kx ${frequency(x, FULL_W)}, ky ${frequency(y, FULL_H)}` : `x ${x * META.block}, y ${y * META.block}`;
  $("readout").textContent = `${figure.label}: ${place}: ${value}`;
}

function frequency(at, n) {
  const first = at * META.block - Math.floor(n / 2), last = Math.min(first + META.block, n - Math.floor(n / 2)) - 1;
  const text = first === last ? String(first) : `${first} to ${last}`;
  return text.replaceAll("-", "−");
}

function showDetail() {
  $("detail").hidden = CURRENT < 0;
  if (CURRENT < 0) return;
  $("name").textContent = nameOf(CURRENT);
  $("tags").replaceChildren(...tags(CURRENT).map(([text, kind]) => make("li", {textContent: text, className: kind})));
  for (const figure of FIGURES) drawFigure(figure, CURRENT);
  if (ATTACKED) {
    const most = largest(FIGURES.find(figure => figure.key === "change").seen);
    $("scaled").textContent = `Change: middle grey is none, black and white are ∓${most.toPrecision(3)}.`;
  }
  $("answers").replaceChildren(...answers(CURRENT));
  $("numbers").replaceChildren(...COLUMNS.map(column => make("div", {}, make("dt", {textContent: column.label}), numberCell(column))));
}

function numberCell(column) {
  const cell = make("dd", {textContent: textOf(column, CURRENT)});
  cell.dataset.key = column.key;
  return cell;
}

function tags(row) {
  const found = [[`class ${COLUMN.class.value(row)}`, ""]];
  if (!ATTACKED) return found;
  found.push(own("success")(row) ? [`attack succeeded: seen as ${COLUMN.seen_as.value(row)}`, "bad"] : ["attack failed: no adversarial map", "good"]);
  if (!clean("keeps_prediction")(row)) found.push(["essential map loses the prediction", "bad"]);
  if (hasMap(row, true) && !own("keeps_prediction")(row)) found.push(["adversarial map loses the prediction", "bad"]);
  if (!clean("converged")(row) || (hasMap(row, true) && !own("converged")(row))) found.push(["not converged", ""]);
  return found;
}

function answers(row) {
  const label = clean("label")(row), sample = sampleOf(row);
  const blocks = [["Clean image", "clean.image", sample], ["Seen through the essential map", "clean.filtered", sample]];
  if (ATTACKED) blocks.push(["Adversarial image", "row.image", row], ["Seen through the adversarial map", "row.filtered", row]);
  return blocks.map(([title, name, at]) => make("div", {}, make("h4", {textContent: title}), answerList(name, at, label)));
}

function answerList(name, at, label) {
  const classes = DATA[`${name}_class`], k = META.parts.find(part => part.name === `${name}_class`).shape[1];
  if (classes[at * k] < 0) return make("p", {textContent: "no map"});
  return make("ol", {}, ...Array.from({length: k}, (_, i) => {
    const found = classes[at * k + i], p = DATA[`${name}_p`][at * k + i];
    const item = make("li", {className: found === label ? "true" : i === 0 ? "wrong" : "", title: className(found)},
      make("span", {textContent: className(found)}), make("span", {textContent: inPercent(p)}));
    item.style.setProperty("--p", `${(100 * p).toFixed(2)}%`);
    return item;
  }));
}
