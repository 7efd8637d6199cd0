"""Whole-stack analysis beside NumPy, scikit-image and scikit-learn: cold, through the mount, the source in the page cache.

The peers' times are those of the computation alone: reading the file is not counted against them.
"""
import json
import time

import numpy as np
import tifffile

from common import same, seconds
import sources


def stack(b, name, planes, side, dtype="uint16"):
    path = b.base / name / "stack.tif"
    path.parent.mkdir()
    px = np.empty((planes, side, side), dtype)
    for z in range(planes):
        px[z] = np.roll(sources.texture((side, side), dtype, seed=z % 4), z * 37, 0)
    tifffile.imwrite(path, px, photometric="minisblack", bigtiff=px.nbytes > 3 << 30)
    return path, px


def timed(f, runs=1):
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        result = f()
        times.append(time.perf_counter() - begin)
    return min(times), result


def cold(b, m, command, runs=3):
    return seconds(command, before=lambda: m.remount(fresh=True), runs=runs)


def close(a, b, rel=1e-9):
    return bool(np.allclose(a, b, rtol=rel, atol=0))


def whole_stack_stats(b):
    path, px = stack(b, "gig", 128, 2048)
    m = b.mount(path)
    read = timed(lambda: path.read_bytes(), 2)[0]
    ours, text = cold(b, m, f"cat {m / 'stats.json'}")
    theirs, want = timed(lambda: (px.mean(), px.std(), px.min(), px.max()))
    got = json.loads(text)["all"]
    same(True, close([got["mean"], got["std"], got["min"], got["max"]], [float(v) for v in want]), "stats")
    b.row("stats.json of 1 GB uint16", ours, theirs, f"NumPy mean, std, min, max; one read pass {read * 1e3:.0f} ms")
    ours, _ = cold(b, m, f"cat {m / 'segment/otsu/z00064.tif'} > /dev/null")
    b.row("the same by otsu, one plane read", ours, read, "one read pass")


def whole_stack_projection(b):
    path, px = stack(b, "deep", 128, 2048)
    m = b.mount(path)
    theirs, want = timed(lambda: px.max(0), 2)
    read = timed(lambda: path.read_bytes(), 3)[0]
    ours, _ = cold(b, m, f"cat {m / 'projection/max.tif'} > /dev/null")
    same(True, bool((tifffile.imread(m / "projection/max.tif") == want).all()), "projection")
    b.row("projection/max of 1 GB uint16", ours, read, "one read pass")
    b.row("projection/max of 1 GB uint16", ours, theirs, "NumPy max(0)")


def otsu(b):
    from skimage.filters import threshold_otsu
    path, px = stack(b, "channel", 32, 2048)
    m = b.mount(path)
    theirs, want = timed(lambda: threshold_otsu(px), 2)
    ours, text = cold(b, m, f"cat {m / 'segment.json'}")
    same(json.loads(text)["otsu"][0], int(want), "threshold")
    ours_mask, _ = cold(b, m, f"cat {m / 'segment/otsu/z00000.tif'} > /dev/null")
    same(True, bool((tifffile.imread(m / "segment/otsu/z00000.tif") == np.where(px[0] > want, 255, 0)).all()), "mask")
    b.row("segment.json of 268 MB uint16", ours, theirs, "scikit-image threshold_otsu")
    b.row("segment/otsu plane of 268 MB", ours_mask, theirs, "scikit-image threshold_otsu")


def components(b):
    from sklearn.decomposition import PCA
    rng = np.random.default_rng(1)
    mix = rng.normal(0, 1, (128, 128)).astype("f4") * np.geomspace(1, .01, 128, dtype="f4")
    px = (mix @ rng.normal(0, 1, (128, 1024 * 1024)).astype("f4")).reshape(128, 1024, 1024) + 100
    path = b.base / "cube" / "cube.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, px[None, None], imagej=True, metadata={"axes": "TZCYX"})
    m = b.mount(path)
    x = px.reshape(128, -1).T

    def by_numpy():
        mean = x.mean(0)
        values, vectors = np.linalg.eigh(np.cov(x.T))
        return values[::-1], (x - mean) @ vectors[:, ::-1][:, :3].astype("f4")

    fast, (values, _) = timed(by_numpy, 2)
    slow, _ = timed(lambda: PCA(3).fit_transform(x))
    ours, text = cold(b, m, f"cat {m / 'pca/3.tif'} > /dev/null; cat {m / 'pca.json'}")
    found = json.loads(text)
    same(True, close(found["explained_variance"][:16], values[:16]), "components")
    b.row("pca/3.tif and pca.json, 512 MB", ours, slow, "scikit-learn PCA(3)")
    b.row("pca/3.tif and pca.json, 512 MB", ours, fast, "NumPy cov, eigh, projection")


CASES = [whole_stack_stats, whole_stack_projection, otsu, components]
