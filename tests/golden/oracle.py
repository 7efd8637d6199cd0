"""The correction pipeline once more, in NumPy and SciPy float64 and written to be read: the EM preset, no masks.

Slow (seconds per megapixel) and independent of the C code, so it judges results for which there is no reference file,
and stands in benchmarks as "the same method in SciPy". Against the reference files: destriped rms 0.05, corrected 0.03 %
of pixels off by 1. `unit` is what one step of a 16-bit intensity is worth: 1, or 1/257 for 8-bit sources.
"""
import math

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

EPS = 2.0 ** -23
LOW = np.array([1, 6, 15, 20, 15, 6, 1]) / 64
SCALES = [(161, 5, 1.67), (161, 9, 1), (161, 13, 1), (201, 19, 1), (251, 43, 1), (301, 75, 1)]   # bands, mask, threshold


def conv(plane, taps, axis):
    return ndimage.correlate1d(plane, taps, axis=axis, mode="mirror")


def dilated(s):
    taps = np.zeros(6 * 2 ** s + 1)
    taps[::2 ** s] = LOW
    return taps


def box(n):
    return np.full(n, 1 / n)


def box2(plane, n):
    return conv(conv(plane, box(n), 1), box(n), 0)


def weights_of_components(mask, bands_len):
    """1 for components too short to judge, small for what does not look like a stripe; and the labels."""
    label, count = ndimage.label(mask, np.ones((3, 3)))
    yy, xx = np.nonzero(label)
    at = label[yy, xx]
    n = np.bincount(at, minlength=count + 1)[1:]

    def mean(v):
        return np.bincount(at, v.astype(float), minlength=count + 1)[1:] / n

    my, mx = mean(yy), mean(xx)
    a, b, c = mean(xx ** 2.0) - mx ** 2, -(mean(yy * xx.astype(float)) - my * mx), mean(yy ** 2.0) - my ** 2
    half = np.sqrt(((a - c) / 2) ** 2 + b * b)
    major, minor = (4 * np.sqrt(np.maximum((a + c) / 2 + sign * half, 0)) for sign in (1, -1))
    theta = np.where(a == c, np.where(b < 0, -math.pi / 4, math.pi / 4), 0.5 * np.arctan2(-2 * b, c - a))
    q = math.sin(math.radians(4.8))
    bandness = q * np.cos(theta) * minor / np.maximum(major * 0.3 * (q - np.abs(np.sin(theta))), EPS)
    weight = np.where(major <= 0.1 * bands_len, 1, np.exp(-bandness ** 2 / 2))
    return np.concatenate([[1], weight])[label]


def thresholds(detail, factor, window=187):
    h, w = detail.shape
    squares = (detail ** 2).sum(1)
    local = ndimage.correlate1d(squares, np.ones(window), mode="mirror") / (window * w)
    y = np.arange(h) / max(h - 1, 1)
    along = 1.5 - (1.5 - 2.1) / (1 + np.exp(20 * (y - 0.6)))
    return (np.sqrt(np.maximum((detail ** 2).mean() / 2, local)) * along * factor)[:, None]


def destripe(plane):
    out, low = plane.copy(), plane.copy()
    for s, (bands_len, mask_len, factor) in enumerate(SCALES):
        detail = conv(low, dilated(s), 0)
        low = conv(detail, dilated(s), 1)
        detail = detail - low
        t = thresholds(detail, factor)
        # No pixel is in a component of both signs, and outside of components the weight is 1.
        weight = weights_of_components(detail > t, bands_len) * weights_of_components(detail < -t, bands_len)
        weight = box2(weight, mask_len)
        band = weight * conv(conv(detail * weight, box(bands_len), 0), box(bands_len), 0)
        rest = -np.convolve(box(bands_len), box(bands_len))
        rest[bands_len - 1] += 1
        beta = math.sqrt((rest ** 2).sum())
        out -= ((beta - 1) * detail + band) / beta
    return out


def background(plane, z, shape, origin, offset, coefficients, terms):
    """`shape` (NZ, NY, NX) of the whole stack, `origin` (y, x) of the plane; the tables as they are in their files."""
    zn, yn, xn = (np.arange(n) + o for n, o in zip((1, *plane.shape), (z, *origin)))
    zn, yn, xn = (v / max(n - 1, 1) for v, n in zip((zn, yn, xn), shape))
    out = plane - float(offset[z])
    for c, (a, b, d) in zip(np.ravel(coefficients), np.asarray(terms).T):
        if a or b or d:
            out = out - float(c) * zn[0] ** d * yn[:, None] ** b * xn[None, :] ** a
    return out


def denoise(plane, unit=1.0):
    def smooth(p):
        return conv(conv(p, LOW, 1), LOW, 0)

    def gate(p, q, gain, offset):
        covariance = box2(p * q, 7) - box2(p, 7) * box2(q, 7)
        return 1 / (1 + np.exp(np.clip(gain / unit ** 2 * covariance + offset, -700, 700)))

    low = smooth(plane)
    detail = plane - low
    coarse = smooth(2 * detail - smooth(detail))
    fine = detail - coarse
    noise = fine * gate(fine, low + coarse, 3.418e-6, -1.123) + coarse * gate(coarse, low, 4.114e-6, 4.394)
    return low + detail - noise


def contrast(plane, unit=1.0):
    local = plane
    for axis in (1, 1, 0, 0):
        local = conv(local, box(501), axis)
    strength = 2 * (1 - ndtr((plane - (local - 2000 * unit)) / (2000 * unit)))
    middle = (ndimage.maximum_filter(plane, 5, mode="mirror") + ndimage.minimum_filter(plane, 5, mode="mirror")) / 2
    u = (plane + strength * (plane - middle) - 28000 * unit) / (1250 * unit)
    c0, c1 = -0.8, 0.8
    (p0, p1), (d0, d1) = ndtr([c0, c1]), np.exp(-np.array([c0, c1]) ** 2 / 2) / math.sqrt(2 * math.pi)
    delta = (p1 - p0) - (d0 + d1) / 2 * (c1 - c0)
    v = np.clip(u - c0, 0, c1 - c0)
    v = v / 2 * (2 * d0 + (d1 - d0) * v / (c1 - c0))
    share = (delta / p0 + 1) * np.minimum(ndtr(u), p0) + v + np.maximum(ndtr(u) - p1, 0)
    return np.clip(256 * share, 0, 255).astype(np.uint8)


def correct(raw, top, unit=1.0, flatten=None):
    """All stages of a raw section whose inversion is top - raw: (destriped, flattened, denoised, corrected)."""
    destriped = destripe(top - raw.astype(float))
    flattened = flatten(destriped) if flatten else destriped
    denoised = denoise(flattened, unit)
    return destriped, flattened, denoised, contrast(denoised, unit)
