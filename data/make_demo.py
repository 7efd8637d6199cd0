"""Makes the demonstration data: an EM section folder and a fluorescence hyperstack, both generated.

em/05600.tif ..     16-bit sections as an electron microscope gives them: inverted contrast, vertical stripes at several
                    scales, an uneven background, noise; membranes that move slowly from section to section
cells.tif           an ImageJ hyperstack of 3 time points, 5 slices, 3 channels: nuclei, cytoplasm, spots

Usage: python3 make_demo.py FOLDER
"""
import sys
from pathlib import Path

import numpy as np
import tifffile

FIRST, COUNT, SIDE = 5600, 12, 1024


def blurred(image, sigma):
    """Gaussian blur of any number of axes, periodic, by its Fourier transform."""
    spectrum = np.fft.rfftn(image)
    for axis, n in enumerate(image.shape):
        f = np.fft.rfftfreq(n) if axis == image.ndim - 1 else np.fft.fftfreq(n)
        shape = [-1 if a == axis else 1 for a in range(image.ndim)]
        width = sigma[axis] if np.ndim(sigma) else sigma
        spectrum *= np.exp(-2 * (np.pi * width * f) ** 2).reshape(shape)
    return np.fft.irfftn(spectrum, image.shape, axes=range(image.ndim))


def unit(image):
    return (image - image.mean()) / image.std()


def tissue(rng):
    """Membranes: the zero lines of a slowly changing random field."""
    field = unit(blurred(rng.standard_normal((COUNT, SIDE, SIDE), dtype=np.float32), (1.5, 14, 14)))
    return np.exp(-(field / 0.12) ** 2)


def stripes(rng):
    """Vertical stripes: broad and fine ones, each fading in and out along its length."""
    image = np.zeros((SIDE, SIDE))
    for width, strength in ((0.6, 0.5), (2, 0.35), (6, 0.25)):
        image += strength * unit(blurred(rng.standard_normal((SIDE, SIDE)), (160, width)))
    return image


def em(folder, rng):
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[-1:1:SIDE * 1j, -1:1:SIDE * 1j]
    for i, membranes in enumerate(tissue(rng)):
        image = 30000 - 9000 * membranes + 1500 * stripes(rng) + 2500 * (x - 0.6 * y * y)
        image += 900 * rng.standard_normal((SIDE, SIDE))
        inverted = 65535 - np.clip(image, 0, 65535)
        tifffile.imwrite(folder / f"{FIRST + i:05}.tif", inverted.astype("uint16"), photometric="minisblack")


def cells(path, rng):
    nuclei = unit(blurred(rng.standard_normal((3, 5, 256, 256)), (0.7, 1, 9, 9)))
    spots = np.maximum(unit(blurred(rng.standard_normal((3, 5, 256, 256)), (0, 0.5, 1.2, 1.2))) - 2.5, 0)
    channels = [3000 / (1 + np.exp(-6 * (nuclei - 0.6))), 1200 / (1 + np.exp(-3 * nuclei)), 2500 * spots]
    image = np.stack(channels, axis=2) + 200
    noisy = rng.poisson(image).astype("uint16")
    tifffile.imwrite(path, noisy, imagej=True, resolution=(1 / 0.1, 1 / 0.1),
                     metadata={"axes": "TZCYX", "unit": "um", "spacing": 0.3, "finterval": 5.0})


def make(folder):
    rng = np.random.default_rng(20240607)
    em(Path(folder) / "em", rng)
    cells(Path(folder) / "cells.tif", rng)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_demo.py FOLDER")
    make(sys.argv[1])
