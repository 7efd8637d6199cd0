"""How much of a spoilt section the correction brings back: PSNR and SSIM of every stage, and pictures.

A known section gets known stripes, a smooth background, an offset and noise; planefs corrects it through a mount, with
the background's tables beside it; each stage is compared with the section as it was. `inverted` is what was there before
any correction. The 8-bit rows compare with the contrast stage alone on the known section. Needs scikit-image and h5py.

    python3 tests/bench/restore.py [FOLDER]      FOLDER gets correction-before.png and correction-after.png
"""
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "mount"), str(ROOT / "data")]
import harness  # noqa: E402
import make_demo  # noqa: E402

MEAN, SIGMA = 28000, 1250                 # what the contrast stage expects of a flattened section
STRIPES, NOISE, OFFSET = 600, 300, 1500
TERMS = {(0, 0, 0): 5, (1, 0, 0): 4000, (0, 1, 0): -2500, (2, 0, 0): -2000, (1, 1, 0): 1500, (0, 2, 0): 2200}  # x, y, z
CONFIG = '[view "contrasted"]\nrecipe = invert | contrast\n'
PNG_SIDE = 400
STAGES = ["inverted", "destriped", "flattened", "denoised"]


def polynomial(h, w):
    y, x = (np.linspace(0, 1, n) for n in (h, w))
    return sum(c * x[None, :] ** a * y[:, None] ** b for (a, b, _), c in TERMS.items() if a or b)


def stripes(rng, h, w):
    """Vertical, of three widths, each fading in and out along its length."""
    out = np.zeros((h, w))
    for width, strength in ((0.6, 0.5), (2, 0.35), (6, 0.25)):
        out += strength * make_demo.unit(make_demo.blurred(rng.standard_normal((h, w)), (300, width)))
    return out


def section(rng):
    """Membranes, and between them structure of two sizes."""
    membranes = make_demo.tissue(rng)[0]
    coarse, fine = (make_demo.unit(make_demo.blurred(rng.standard_normal(membranes.shape), s)) for s in (18, 2.5))
    return 0.12 * coarse + 0.08 * fine - membranes


def spoil(clean, rng):
    h, w = clean.shape
    return clean + STRIPES * stripes(rng, h, w) + polynomial(h, w) + OFFSET + NOISE * rng.standard_normal((h, w))


def write(folder, name, plane, tables):
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / name, (65535 - np.clip(plane, 0, 65535)).astype("u2"), photometric="minisblack")
    if tables:
        with h5py.File(folder / "info.h5", "w") as f:
            f["offset"] = np.full(1, OFFSET, "f4")
        with h5py.File(folder / "polymodel.h5", "w") as f:
            f["Coefficients"] = np.array(list(TERMS.values()), "f8")[:, None]
            f["ModelTerms"] = np.array(list(TERMS), "f8").T


def compare(name, got, want, span):
    psnr = peak_signal_noise_ratio(want, got, data_range=span)
    ssim = structural_similarity(want, got, data_range=span, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    print(f"| {name} | {psnr:.1f} dB | {ssim:.3f} |", flush=True)


def restore(title, clean, base):
    """Prints a table; gives the spoilt section as it is and the corrected one."""
    base.mkdir()
    clean = np.round(make_demo.unit(clean) * SIGMA + MEAN)
    write(base / "src/clean", "0.tif", clean, tables=False)
    write(base / "src/spoilt", "0.tif", spoil(clean, np.random.default_rng(5)), tables=True)
    (base / "src/planefs.ini").write_text(CONFIG)
    m = harness.Mount(base / "src", base / "m")
    try:
        print(f"\n{title}\n\n| stage | PSNR | SSIM |\n|---|---|---|")
        stages = {s: tifffile.imread(m / f"spoilt/{s}/0.tif").astype(float) for s in STAGES}
        for stage, got in stages.items():
            compare(stage, got, clean, np.ptp(clean))
        want = tifffile.imread(m / "clean/contrasted/0.tif")
        before, after = (tifffile.imread(m / f"spoilt/{v}/0.tif") for v in ("contrasted", "corrected"))
        compare("inverted, 8-bit", before, want, 255)
        compare("corrected, 8-bit", after, want, 255)
        m.stop()
    finally:
        m.clear()
    return stages["inverted"], after


def main(folder=None):
    with tempfile.TemporaryDirectory(prefix="planefs-restore-") as base:
        clean = section(np.random.default_rng(1))
        pictures = restore("Synthetic section, 1024 x 1024", clean, Path(base) / "synthetic")
        sections = sorted((harness.SHARED / "em_fibsem" / "sections").glob("*.tif"))
        if sections:
            restore("FIB-SEM section, 250 x 250", tifffile.imread(sections[30]).astype(float), Path(base) / "real")
        else:
            print("\nno FIB-SEM sections at hand (PLANEFS_SHARED)")
    for name, picture in zip(("before", "after"), pictures if folder else ()):
        part = picture[:PNG_SIDE, :PNG_SIDE]
        low, high = np.percentile(part, [0.35, 99.65]) if name == "before" else (0, 255)
        part = np.clip((part - low) / (high - low) * 255, 0, 255).astype("u1")
        Image.fromarray(part).save(Path(folder) / f"correction-{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
