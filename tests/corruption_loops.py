"""Corruptions said again: one image, pixel by pixel, with its own stream of random numbers."""

from __future__ import annotations

import colorsys
import hashlib
import io
from itertools import product
from math import atan, ceil, cos, exp, floor, hypot, pi, radians, sin

import numpy as np
from PIL import Image
from scipy import fft, ndimage

#: What a severity of the small images is made with, copied from the published table of CIFAR-10-C.
CIFAR = {
    "brightness": 0.2, "contrast": 0.3, "defocus_blur": (1, 0.2), "elastic_transform": (0.1, 0.04, 0.05),
    "fog": (1, 2), "frost": (0.85, 0.4), "gaussian_blur": 0.8, "gaussian_noise": 0.09, "glass_blur": (0.25, 1, 2),
    "impulse_noise": 0.05, "jpeg_compression": 50, "motion_blur": (8, 2), "pixelate": 0.75, "saturate": (2, 0.1),
    "shot_noise": 75, "snow": (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), "spatter": (0.65, 0.1, 0.7, 0.69, 0.6, 1),
    "speckle_noise": 0.16, "zoom_blur": (1.21, 0.01),
}  # fmt: skip


def stream(seed, name, severity, position):
    word = int.from_bytes(hashlib.sha256(f"{seed} {name} {severity}".encode()).digest()[:8], "little")
    return np.random.Generator(np.random.Philox(key=np.array([word, position], dtype=np.uint64)))


def clamped(i, n):
    return min(max(i, 0), n - 1)


def mirrored(i, n):
    """The edge pixel is not repeated."""
    while not 0 <= i < n:
        i = -i if i < 0 else 2 * (n - 1) - i
    return i


def reflected(i, n):
    """The edge pixel is repeated."""
    while not 0 <= i < n:
        i = -i - 1 if i < 0 else 2 * n - 1 - i
    return i


def correlated(plane, weights, fold):
    (h, w), (a, b) = plane.shape, (weights.shape[0] // 2, weights.shape[1] // 2)
    out = np.zeros((h, w))
    for y, x in product(range(h), range(w)):
        for i, j in product(range(weights.shape[0]), range(weights.shape[1])):
            out[y, x] += weights[i, j] * plane[fold(y + i - a, h), fold(x + j - b, w)]
    return out


def bell(sigma, reach):
    values = [exp(-(i**2) / (2 * sigma**2)) for i in range(-reach, reach + 1)] if sigma else [1.0]
    return np.array(values) / sum(values)


def blurred(plane, sigma, fold=clamped, truncate=4):
    line = bell(sigma, int(truncate * sigma + 0.5))
    return correlated(plane, np.outer(line, line), fold)


def each(image, function, *given):
    return np.array([function(plane, *given) for plane in image])


def bilinear(plane, y, x, fold):
    h, w = plane.shape
    top, left = floor(y), floor(x)
    total = 0.0
    for row, column in product((top, top + 1), (left, left + 1)):
        total += (1 - abs(y - row)) * (1 - abs(x - column)) * plane[fold(row, h), fold(column, w)]
    return total


def clouds(draw, height, width, decay):
    side = 2
    while side < max(height, width):
        side *= 2
    plane, step, amplitude = np.zeros((side, side)), side, 1.0
    while step > 1:
        half, count = step // 2, side // step
        noise = [-amplitude + 2 * amplitude * draw.random((count, count)) for _ in range(3)]
        places = list(product(range(count), range(count)))

        def at(y, x, plane=plane, side=side):
            return plane[y % side, x % side]

        for i, j in places:
            y, x = i * step, j * step
            corners = [at(y, x), at(y + step, x), at(y, x + step), at(y + step, x + step)]
            plane[y + half, x + half] = np.mean(corners) + noise[0][i, j]
        for i, j in places:
            y, x = i * step, j * step
            plane[y, x + half] = noise[1][i, j] + np.mean(
                [at(y, x), at(y, x + step), at(y + half, x + half), at(y - half, x + half)]
            )
            plane[y + half, x] = noise[2][i, j] + np.mean(
                [at(y, x), at(y + step, x), at(y + half, x + half), at(y + half, x - half)]
            )
        step, amplitude = half, amplitude / decay**2
    plane = (plane - plane.min()) / (plane.max() - plane.min())
    return plane[:height, :width]


def moved(plane, radius, sigma, degrees):
    h, w = plane.shape
    weights = [exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    out = np.zeros((h, w))
    for y, x in product(range(h), range(w)):
        for i, weight in enumerate(weights):
            down, right = ceil(i * sin(radians(degrees)) - 0.5), ceil(i * cos(radians(degrees)) - 0.5)
            out[y, x] += weight / sum(weights) * plane[clamped(y + down, h), clamped(x + right, w)]
    return out


def zoomed(plane, factor):
    """The benchmark's own recipe, with SciPy's zoom."""
    for axis in (0, 1):
        size = plane.shape[axis]
        kept = ceil(size / factor)
        first = (size - kept) // 2
        part = plane.take(range(first, first + kept), axis=axis)
        large = ndimage.zoom(part, [factor if a == axis else 1 for a in (0, 1)], order=1)
        first = (large.shape[axis] - size) // 2
        plane = large.take(range(first, first + size), axis=axis)
    return plane


def grey(image):
    if len(image) != 3:
        return image.mean(axis=0)
    return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]


def tint(rgb, channels):
    values = rgb if channels == 3 else [0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]] * channels
    return np.array(values)[:, None, None]


def by_hsv(image, change):
    out = np.empty_like(image)
    for y, x in product(range(image.shape[1]), range(image.shape[2])):
        out[:, y, x] = colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*image[:, y, x])))
    return out


def gaussian_noise(image, draw, c):
    return image + c * draw.standard_normal(image.shape)


def shot_noise(image, draw, c):
    return draw.poisson(image * c) / c


def impulse_noise(image, draw, c):
    hit, salt = draw.random(image.shape), draw.random(image.shape)
    out = image.copy()
    for place in np.ndindex(image.shape):
        if hit[place] < c:
            out[place] = 1 if salt[place] < 0.5 else 0
    return out


def speckle_noise(image, draw, c):
    return image * (1 + c * draw.standard_normal(image.shape))


def gaussian_blur(image, draw, c):
    return each(image, blurred, c)


def glass_blur(image, draw, c):
    sigma, reach, times = c
    soft = each(image, blurred, sigma)
    _, h, w = image.shape
    for _ in range(times):
        count = [len(range(n - reach, reach, -1)) for n in (h, w)]
        moves = draw.integers(-reach, reach, (*count, 2))
        for i, y in enumerate(range(h - reach, reach, -1)):
            for j, x in enumerate(range(w - reach, reach, -1)):
                right, down = moves[i, j]
                soft[:, y, x] = soft[:, y + down, x + right]
    return each(soft, blurred, sigma)


def defocus_blur(image, draw, c):
    radius, soft = c
    side, reach = (8, 1) if radius <= 8 else (radius, 2)
    disc = np.array(
        [[float(y * y + x * x <= radius**2) for x in range(-side, side + 1)] for y in range(-side, side + 1)]
    )
    line = bell(soft, reach)
    return each(image, correlated, correlated(disc / disc.sum(), np.outer(line, line), mirrored), mirrored)


def motion_blur(image, draw, c):
    return each(image, moved, *c, -45 + 90 * draw.random())


def zoom_blur(image, draw, c):
    zooms = np.arange(1, *c)
    return (image + sum(each(image, zoomed, zoom) for zoom in zooms)) / (len(zooms) + 1)


def snow(image, draw, c):
    mean, sd, zoom, threshold, radius, sigma, kept = c
    flakes = zoomed(mean + sd * draw.standard_normal((1, *image.shape[1:]))[0], zoom)
    flakes = np.array([[0 if v < threshold else min(v, 1) for v in row] for row in flakes])
    streaks = moved(flakes, radius, sigma, -135 + 90 * draw.random())
    white = np.maximum(image, grey(image) * 1.5 + 0.5)
    return kept * image + (1 - kept) * white + streaks + np.rot90(streaks, 2)


def fog(image, draw, c):
    top = image.max()
    return (image + c[0] * clouds(draw, *image.shape[1:], c[1])) * top / (top + c[0])


def frost(image, draw, c):
    ridges, cover = clouds(draw, *image.shape[1:], 1.5), clouds(draw, *image.shape[1:], 2.5)
    ice = (1 - np.abs(2 * ridges - 1)) * (0.5 + 0.5 * cover)
    return c[0] * image + c[1] * ice * tint((0.86, 0.94, 1.0), len(image))


def brightness(image, draw, c):
    if len(image) != 3:
        return np.minimum(image + c, 1)
    return by_hsv(image, lambda h, s, v: (h, s, min(v + c, 1)))


def saturate(image, draw, c):
    if len(image) != 3:
        return image
    return by_hsv(image, lambda h, s, v: (h, min(max(s * c[0] + c[1], 0), 1), v))


def contrast(image, draw, c):
    return each(image, lambda plane: (plane - plane.mean()) * c + plane.mean())


#: The table of luminance that the JPEG standard suggests (ITU-T T.81, K.1), for quality 50.
LUMINANCE = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""


def jpeg_compression(image, draw, c):
    """Grey: blocks of rounded cosine coefficients. Colours: bands put together and written by Pillow."""
    pixels = np.rint(image * 255).astype(np.uint8)
    if len(image) == 3:
        file = io.BytesIO()
        Image.merge("RGB", [Image.fromarray(band) for band in pixels]).save(file, "JPEG", quality=c, subsampling=2)
        return np.array([np.array(band) for band in Image.open(file).split()]) / 255
    assert c == 50
    table = np.array(LUMINANCE.split(), float).reshape(8, 8)
    h, w = image.shape[1:]
    padded = np.pad(pixels[0].astype(float) - 128, ((0, -h % 8), (0, -w % 8)), mode="edge")
    for y, x in product(range(0, len(padded), 8), range(0, padded.shape[1], 8)):
        block = np.rint(fft.dctn(padded[y : y + 8, x : x + 8], norm="ortho") / table) * table
        padded[y : y + 8, x : x + 8] = fft.idctn(block, norm="ortho")
    return np.clip(np.rint(padded + 128), 0, 255)[None, :h, :w] / 255


def boxed(plane, size):
    """Each pixel: the mean of the pixels whose middles lie in its box, as far as any do."""
    out = np.empty(size)
    for place in np.ndindex(*size):
        spans = []
        for axis, i in enumerate(place):
            n, scale = plane.shape[axis], plane.shape[axis] / size[axis]
            middle, reach = (i + 0.5) * scale, max(scale, 1) / 2
            spans.append([k for k in range(n) if -reach < (k + 0.5) - middle <= reach])
        out[place] = plane[np.ix_(*spans)].mean()
    return out


def pixelate(image, draw, c):
    _, h, w = image.shape
    return each(image, lambda plane: boxed(boxed(plane, (int(h * c), int(w * c))), (h, w)))


def elastic_transform(image, draw, c):
    _, h, w = image.shape
    strength, sigma, reach = (share * min(h, w) for share in c)
    y, x, r = h // 2, w // 2, min(h, w) // 3
    points = np.array([(y + r, x + r), (y - r, x + r), (y - r, x - r)], float)
    targets = points - reach + 2 * reach * draw.random((3, 2))
    noise = [-1 + 2 * draw.random((h, w)) for _ in range(2)]
    across, down = (strength * blurred(one, sigma, reflected, truncate=3) for one in noise)
    # Barycentric coordinates in the moved triangle lead back to the place in the original one.
    base = np.array([targets[0] - targets[2], targets[1] - targets[2]]).T
    out = np.empty_like(image)
    for number, plane in enumerate(image):
        turned = np.empty((h, w))
        for place in np.ndindex(h, w):
            a, b = np.linalg.inv(base) @ (np.array(place) - targets[2])
            source = a * points[0] + b * points[1] + (1 - a - b) * points[2]
            turned[place] = bilinear(plane, *source, mirrored)
        for i, j in np.ndindex(h, w):
            out[number, i, j] = bilinear(turned, i + down[i, j], j + across[i, j], reflected)
    return out


def spatter(image, draw, c):
    mean, sd, sigma, threshold, strength, mud = c
    liquid = blurred(mean + sd * draw.standard_normal((1, *image.shape[1:]))[0], sigma)
    liquid[liquid < threshold] = 0
    if mud:
        cover = blurred((liquid > threshold).astype(float), strength)
        cover[cover < 0.8] = 0
        return image * (1 - cover) + cover * tint((63 / 255, 42 / 255, 20 / 255), len(image))
    return image + strength * drops(liquid) * tint((175 / 255, 238 / 255, 238 / 255), len(image))


def drops(liquid):
    grey_bytes = np.array([[min(int(v * 255), 255) for v in row] for row in liquid])
    edge = canny(grey_bytes, 50, 150)
    h, w = edge.shape
    there = [p for p in np.ndindex(h, w) if edge[p]]
    far = np.array([[min([hypot(y - a, x - b) for a, b in there] + [20]) for x in range(w)] for y in range(h)])
    box = np.ones((3, 3))
    soft = np.floor(correlated(far, box, mirrored) / 9 + 1e-9).astype(int)
    order = np.sort(soft.ravel())
    first = int((order == order[0]).sum())
    spread = [[np.rint(((order <= v).sum() - first) * 255 / (order.size - first)) for v in row] for row in soft]
    lit = correlated(np.array(spread), np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), mirrored)
    made = grey_bytes * correlated(np.clip(lit, 0, 255), box, mirrored) / 9
    return made / made.max()


def canny(plane, low, high):
    h, w = plane.shape
    slope = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    across, down = (correlated(plane, -s, clamped) for s in (slope, slope.T))
    steep = np.abs(across) + np.abs(down)

    def at(y, x):
        return steep[y, x] if 0 <= y < h and 0 <= x < w else 0

    weak = {}
    for y, x in np.ndindex(h, w):
        m, angle = steep[y, x], atan(down[y, x] / across[y, x]) * 180 / pi if across[y, x] else 90.0
        if abs(angle) < 22.5:
            ridge = m > at(y, x - 1) and m >= at(y, x + 1)
        elif abs(angle) > 67.5:
            ridge = m > at(y - 1, x) and m >= at(y + 1, x)
        else:
            side = 1 if angle > 0 else -1
            ridge = m > at(y - 1, x - side) and m > at(y + 1, x + side)
        if ridge and m > low:
            weak[y, x] = m
    edge = np.zeros((h, w), bool)
    waiting = [place for place, m in weak.items() if m > high]
    while waiting:
        y, x = waiting.pop()
        if not edge[y, x]:
            edge[y, x] = True
            waiting += [(y + a, x + b) for a, b in product((-1, 0, 1), repeat=2) if (y + a, x + b) in weak]
    return edge
