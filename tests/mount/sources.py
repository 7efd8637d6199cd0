"""Sources made on the spot, and what tifffile says a source holds."""
import struct
import subprocess
from pathlib import Path

import numpy as np
import tifffile


def texture(shape, dtype="uint16", seed=1):
    """Pixels that no neighbour shares: noise on a slope, in the type's own range."""
    noise = np.random.default_rng(seed).normal(0, 0.08, shape) + np.linspace(0.25, 0.6, shape[-1])
    if np.dtype(dtype).kind == "f":
        return noise.astype(dtype)
    top = np.iinfo(dtype).max
    return np.clip(noise * top, 0, top).astype(dtype)


def section(h, w, z=0, seed=1, top=65535):
    """An EM-like section: inverted contrast, vertical stripes, a slope and noise; u16 (or u8 with top = 255)."""
    rng = np.random.default_rng(seed + 1000 * z)
    y, x = np.mgrid[0:h, 0:w]
    cells = 0.08 * np.sin(x / 17 + z) * np.cos(y / 23)
    stripes = 0.05 * np.repeat(rng.normal(0, 1, (1, w)), h, 0)
    image = 0.5 + cells + stripes + 0.1 * (x / w - y / h) + rng.normal(0, 0.03, (h, w))
    return (np.clip(image, 0, 1) * top).astype("uint8" if top == 255 else "uint16")


def sections(folder, numbers, h=48, w=64, top=65535, name="sec_{:04}.tif", **how):
    """A section stack: one TIFF per number."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for z in numbers:
        tifffile.imwrite(Path(folder) / name.format(z), section(h, w, z, top=top), photometric="minisblack", **how)
    return Path(folder)


def zoo(folder):
    """One source of every common build: sections, hyperstack, colour, float, odd sizes, byte orders, BigTIFF."""
    folder = Path(folder)
    sections(folder / "em", range(3, 9))
    grey = {"photometric": "minisblack"}
    tifffile.imwrite(folder / "hyper.tif", texture((2, 3, 2, 33, 41)), imagej=True, metadata={"axes": "TZCYX"})
    tifffile.imwrite(folder / "cells.ome.tif", texture((3, 2, 20, 30), seed=2), metadata={"axes": "ZCYX"}, ome=True)
    tifffile.imwrite(folder / "colour.tif", texture((17, 31, 3), "uint8"), photometric="rgb")
    tifffile.imwrite(folder / "real.tif", texture((4, 25, 19), "float32"), **grey)
    tifffile.imwrite(folder / "motorola.tif", texture((3, 21, 22)), byteorder=">", **grey)
    tifffile.imwrite(folder / "bigtiff.tif", texture((2, 40, 24), "uint8"), bigtiff=True, **grey)
    tifffile.imwrite(folder / "packed.tif", texture((3, 64, 48)), compression="zlib", rowsperstrip=7, **grey)
    tifffile.imwrite(folder / "tiny.tif", texture((1, 1), "uint8"), **grey)
    return folder


def lzw(data):
    """Valid LZW for TIFF without a dictionary: 9-bit literals, a Clear code before the table would need 10 bits."""
    codes = []
    for i in range(0, len(data), 253):
        codes += [256, *data[i:i + 253]]
    codes.append(257)
    bits = (np.array(codes, dtype=">u2")[:, None] >> np.arange(8, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def write_lzw(path, plane):
    """A one-strip LZW TIFF of a u8 or u16 plane (libtiff writes the same tags; no codec package is needed)."""
    strip = lzw(plane.astype(plane.dtype.newbyteorder("<")).tobytes())
    h, w = plane.shape
    bits = plane.dtype.itemsize * 8
    tags = [(256, 3, w), (257, 3, h), (258, 3, bits), (259, 3, 5), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, h),
            (279, 4, len(strip))]
    pad = len(strip) % 2
    ifd = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags)
    Path(path).write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(strip) + pad) + strip + bytes(pad) + ifd + bytes(4))


def many_lzw(folder, count, h=40, w=48):
    """`count` LZW sections, all different: one texture, shifted."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ground = texture((h, w + 97), "uint8").astype(int)
    for z in range(count):
        plane = (ground[:, z % 97:z % 97 + w] + z // 97) % 256
        write_lzw(folder / f"sec_{z:05}.tif", plane.astype("uint8"))
    return folder


def sparse_section(path, h, w, z):
    """A big uncompressed u16 section that takes no room on disk: zeros but for one row. Its pixels differ with z."""
    tags = [(256, 4, w), (257, 4, h), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 4096), (277, 3, 1), (278, 4, h),
            (279, 4, 2 * h * w)]
    ifd = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags)
    with open(path, "wb") as f:
        f.write(struct.pack("<2sHI", b"II", 42, 8) + ifd + bytes(4))
        f.seek(4096 + 2 * w * (h // 2))
        f.write(section(1, w, z).tobytes())
        f.truncate(4096 + 2 * h * w)


def big_sections(folder, count, side=6000):
    """Sections whose correction takes seconds: for tests that need somebody to wait."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for z in range(count):
        sparse_section(folder / f"big_{z:03}.tif", side, side, z)
    return folder


# ---- oracle ----

WIDENED = {"int8": "int16", "float16": "float32", "bool": "uint8"}
CONVERTED = {6, 8, 9, 10, 32844, 32845}      # photometric: planefs shows these as RGB, tifffile as stored


def as_tzcyx(array, axes):
    """tifffile's array with its axes as T,Z,C,Y,X: samples are channels, nameless page axes are Z."""
    axes = "".join({"I": "Z", "Q": "Z", "S": "c"}.get(a, a) for a in axes)
    for extra in set(axes) - set("TZCcYX"):
        raise ValueError(f"axis {extra}")
    if len(set(axes)) != len(axes):
        raise ValueError(f"axes {axes}")
    order = [axes.index(a) for a in "TZCcYX" if a in axes]
    array = array.transpose(order)
    shape = [array.shape["".join(a for a in "TZCcYX" if a in axes).index(a)] if a in axes else 1 for a in "TZCcYX"]
    t, z, c, s, y, x = shape
    return array.reshape(t, z, c * s, y, x)


def planes_of(path, folder=None):
    """The source's only series as T,Z,C,Y,X, or None where tifffile sees another structure or has no codec for it (then
    libtiff unpacks a copy into `folder`)."""
    try:
        with tifffile.TiffFile(path) as tif:
            if len(tif.series) != 1 or len(tif.series[0].levels) != 1 or int(tif.pages[0].photometric) in CONVERTED:
                return None
            if any(330 in page.keyframe.tags for page in tif.pages):         # sub-images, which tifffile counts as pages
                return None
            axes = tif.series[0].axes
            try:
                array = tif.series[0].asarray()
            except (ValueError, KeyError, NotImplementedError):
                array = _unpacked(path, folder, tif.series[0].shape)
            array = as_tzcyx(array, axes)
    except (ValueError, NotImplementedError, tifffile.TiffFileError):
        return None
    return array.astype(WIDENED.get(array.dtype.name, array.dtype.newbyteorder("=")))


def _unpacked(path, folder, shape):
    if folder is None:
        raise ValueError("no codec")
    copy = Path(folder) / "unpacked.tif"
    done = subprocess.run(["tiffcp", "-c", "none", str(path), str(copy)], capture_output=True)
    if done.returncode:
        raise ValueError("libtiff cannot unpack it")
    array = tifffile.imread(copy)
    if array.shape != shape:
        raise ValueError("libtiff unpacks it to another shape")
    return array
