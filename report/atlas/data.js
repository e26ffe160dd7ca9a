"use strict";
// The page's data: packed arrays, decoded once. freqmaps/atlas/_pack.py is the other side of this file.

const META = JSON.parse(document.getElementById("meta").textContent);
const TYPES = {u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array};
const DATA = {};

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Bytes of one significance stand together: put those of each entry side by side again.
function unsorted(bytes, size) {
  if (size === 1) return bytes;
  const out = new Uint8Array(bytes.length), n = bytes.length / size;
  for (let b = 0; b < size; b++) for (let i = 0, from = b * n, to = b; i < n; i++, from++, to += size) out[to] = bytes[from];
  return out;
}

// Undo the differences from neighbours and, in colour, those of red and blue from green.
function unpredicted(values, [n, c, h, w]) {
  for (let plane = 0; plane < n * c; plane++) {
    for (let y = 0, i = plane * h * w; y < h; y++) {
      if (y) values[i] += values[i - w];
      i++;
      for (let x = 1; x < w; x++, i++) values[i] += values[i - 1];
    }
  }
  if (c === 3) {
    const area = h * w;
    for (let k = 0, base = 0; k < n; k++, base += 3 * area) {
      for (let i = 0; i < area; i++) {
        const green = values[base + area + i];
        values[base + i] += green;
        values[base + 2 * area + i] += green;
      }
    }
  }
}

async function readPart(part, number) {
  const element = document.getElementById(`part-${number}`);
  const bytes = await inflated(bytesOf(element.textContent));
  element.remove();
  const Type = TYPES[part.type];
  const values = new Type(unsorted(bytes, Type.BYTES_PER_ELEMENT).buffer);
  if (part.predicted) unpredicted(values, part.shape);
  DATA[part.name] = values;
}

async function readData() {
  await Promise.all(META.parts.map(readPart));
  DATA.ids = new TextDecoder().decode(DATA.ids).split("\0");
}
