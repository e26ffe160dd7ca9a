// Images, spectra, maps and filtered images of a row. Images of up to 64 pixels a side come whole, and spectra and
// filtered images are computed here; of larger ones averages over blocks come, ready made.

const [CHANNELS, FULL_H, FULL_W] = META.shape;
const H = Math.ceil(FULL_H / META.block), W = Math.ceil(FULL_W / META.block), AREA = H * W;
const WHOLE = META.block === 1;
const HALF = Math.floor(W / 2) + 1;
const [LOG_LOW, LOG_HIGH] = META.scale;
// A row is a sample and an attack; without attacks, a sample.
const ATTACKED = META.attacks.length > 0;
const ROWS = ATTACKED ? META.parts.find(part => part.name === "row.attack").shape[0] : META.samples;

const cosines = n => Float64Array.from({length: n}, (_, i) => Math.cos(2 * Math.PI * i / n));
const sines = n => Float64Array.from({length: n}, (_, i) => Math.sin(2 * Math.PI * i / n));
const COS_H = cosines(H), SIN_H = sines(H), COS_W = cosines(W), SIN_W = sines(W);

// F x of one real channel, as a half plane with the origin in the corner: rows first, then columns.
function transform(x) {
  const ar = new Float64Array(H * HALF), ai = new Float64Array(H * HALF);
  for (let y = 0; y < H; y++) {
    for (let u = 0; u < HALF; u++) {
      let r = 0, s = 0;
      for (let k = 0, a = 0; k < W; k++, a = (a + u) % W) { const v = x[y * W + k]; r += v * COS_W[a]; s -= v * SIN_W[a]; }
      ar[y * HALF + u] = r; ai[y * HALF + u] = s;
    }
  }
  return columns(ar, ai, -1);
}

// The transform along columns; sign -1 there, +1 back (unnormalised).
function columns(ar, ai, sign) {
  const re = new Float64Array(H * HALF), im = new Float64Array(H * HALF);
  for (let v = 0; v < H; v++) {
    for (let u = 0; u < HALF; u++) {
      let r = 0, s = 0;
      for (let y = 0, a = 0, i = u; y < H; y++, a = (a + v) % H, i += HALF) {
        const c = COS_H[a], d = sign * SIN_H[a];
        r += ar[i] * c - ai[i] * d; s += ar[i] * d + ai[i] * c;
      }
      re[v * HALF + u] = r; im[v * HALF + u] = s;
    }
  }
  return {re, im};
}

// Re F^-1 of a half plane: columns that are not their own mirror image stand for two.
function inverse({re, im}) {
  const back = columns(re, im, 1), out = new Float32Array(AREA);
  for (let y = 0; y < H; y++) {
    for (let k = 0; k < W; k++) {
      let sum = 0;
      for (let u = 0, a = 0; u < HALF; u++, a = (a + k) % W) {
        const term = back.re[y * HALF + u] * COS_W[a] - back.im[y * HALF + u] * SIN_W[a];
        sum += u === 0 || 2 * u === W ? term : 2 * term;
      }
      out[y * W + k] = sum / AREA;
    }
  }
  return out;
}

// The entry of a half plane that holds the frequency at row i and column j of a centred full plane.
function halfIndex(i, j) {
  const ky = i - (H >> 1), kx = j - (W >> 1);
  return kx >= 0 || 2 * kx === -W ? ((ky + H) % H) * HALF + Math.abs(kx) : ((H - ky) % H) * HALF - kx;
}
const CENTRED = WHOLE ? Int32Array.from({length: AREA}, (_, i) => halfIndex(Math.floor(i / W), i % W)) : null;

const sampleOf = row => ATTACKED ? DATA["row.sample"][row] : row;
const hasMap = (row, attacked) => !attacked || (ATTACKED && DATA["row.has_map"][row] === 1);

// kind: clean, adversarial, or change, which is the one less the other. (channels * AREA), clean in [0, 1].
function imageOf(row, kind) {
  const size = CHANNELS * AREA, out = new Float32Array(size), from = sampleOf(row) * size;
  if (kind !== "change") for (let i = 0; i < size; i++) out[i] = DATA["clean.image"][from + i] / 255;
  if (kind !== "clean") for (let i = 0; i < size; i++) out[i] += DATA["row.delta"][row * size + i] * DATA["row.step"][row];
  if (kind === "adversarial") for (let i = 0; i < size; i++) out[i] = Math.min(1, Math.max(0, out[i]));
  return out;
}

// Mean over channels of the magnitudes, origin in the middle.
function spectrumOf(row, kind) {
  const out = new Float32Array(AREA);
  if (!WHOLE) {
    const name = {clean: "clean.spectrum", adversarial: "row.spectrum", change: "row.change_spectrum"}[kind];
    const from = (kind === "clean" ? sampleOf(row) : row) * AREA;
    return out.map((_, i) => 10 ** (LOG_LOW + DATA[name][from + i] / 255 * (LOG_HIGH - LOG_LOW)));
  }
  const image = imageOf(row, kind);
  for (let c = 0; c < CHANNELS; c++) {
    const {re, im} = transform(image.subarray(c * AREA, (c + 1) * AREA));
    for (let i = 0; i < AREA; i++) { const k = CENTRED[i]; out[i] += Math.hypot(re[k], im[k]) / CHANNELS; }
  }
  return out;
}

// A map, origin in the middle, (channels * AREA) in [0, 1].
function mapOf(row, attacked) {
  const values = DATA[attacked ? "row.map" : "clean.map"], at = attacked ? row : sampleOf(row);
  const plane = WHOLE ? H * HALF : AREA, out = new Float32Array(CHANNELS * AREA);
  for (let c = 0; c < CHANNELS; c++) {
    const from = (at * CHANNELS + c) * plane;
    for (let i = 0; i < AREA; i++) out[c * AREA + i] = values[from + (WHOLE ? CENTRED[i] : i)] / 255;
  }
  return out;
}

// The image seen through its map, Re F^-1(M F x); not clipped if computed here.
function filteredOf(row, attacked) {
  const at = attacked ? row : sampleOf(row), out = new Float32Array(CHANNELS * AREA);
  if (!WHOLE) {
    const values = DATA[attacked ? "row.filtered" : "clean.filtered"];
    return out.map((_, i) => values[at * CHANNELS * AREA + i] / 255);
  }
  const image = imageOf(row, attacked ? "adversarial" : "clean"), map = DATA[attacked ? "row.map" : "clean.map"];
  for (let c = 0; c < CHANNELS; c++) {
    const half = transform(image.subarray(c * AREA, (c + 1) * AREA)), from = (at * CHANNELS + c) * H * HALF;
    for (let i = 0; i < H * HALF; i++) { const m = map[from + i] / 255; half.re[i] *= m; half.im[i] *= m; }
    out.set(inverse(half), c * AREA);
  }
  return out;
}

// Pixels. A colour ramp from dark to light whose lightness grows evenly.
const STOPS = [[13, 8, 35], [62, 19, 92], [128, 37, 110], [194, 66, 88], [238, 122, 57], [250, 190, 70], [252, 253, 200]];
const RAMP = Array.from({length: 256}, (_, i) => {
  const at = i / 255 * (STOPS.length - 1), k = Math.min(Math.floor(at), STOPS.length - 2), t = at - k;
  return STOPS[k].map((v, c) => Math.round(v + t * (STOPS[k + 1][c] - v)));
});

function paint(pixels, at, r, g, b) { pixels[at] = r; pixels[at + 1] = g; pixels[at + 2] = b; pixels[at + 3] = 255; }

// Draw values (channels * AREA) through a function to 0..1, as grey or RGB; two channels or more than three as grey.
function drawColours(pixels, values, shade, start = 0, stride = W) {
  const level = v => Math.round(255 * shade(v));
  for (let i = 0; i < AREA; i++) {
    const at = 4 * (start + Math.floor(i / W) * stride + i % W);
    if (CHANNELS === 3) paint(pixels, at, level(values[i]), level(values[AREA + i]), level(values[2 * AREA + i]));
    else {
      const v = level(meanOf(values, i));
      paint(pixels, at, v, v, v);
    }
  }
}

function meanOf(values, i) {
  let sum = 0;
  for (let c = 0; c < CHANNELS; c++) sum += values[c * AREA + i];
  return sum / CHANNELS;
}

const plain = v => Math.min(1, Math.max(0, v));
const root = v => Math.sqrt(plain(v));
const changeShade = most => v => plain(.5 + (most > 0 ? v / most / 2 : 0));
const largest = values => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

function drawSpectrum(pixels, magnitudes) {
  for (let i = 0; i < AREA; i++) {
    const t = (Math.log10(Math.max(magnitudes[i], 1e-30)) - LOG_LOW) / (LOG_HIGH - LOG_LOW);
    paint(pixels, 4 * i, ...RAMP[Math.round(255 * plain(t))]);
  }
}
