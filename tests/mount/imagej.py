"""A headless ImageJ 1.x: opens many files in one run and says what it found in each."""
import shutil
import subprocess
from pathlib import Path

JAR = Path("/usr/share/java/ij.jar")
MACRO = Path(__file__).with_name("measure.ijm")


def available():
    return JAR.exists() and shutil.which("xvfb-run") is not None and shutil.which("java") is not None


def measure(tasks, folder, timeout=300):
    """tasks: (how, path), how being `open` or `sequence`. A dict each: title, width, height, channels, slices, frames,
    bits, unit, voxel (x, y, z), and per slice `label`, `mean`, `min`, `max`."""
    tasks_file, result = Path(folder) / "imagej-tasks.txt", Path(folder) / "imagej-result.txt"
    tasks_file.write_text("".join(f"{how}\t{path}\n" for how, path in tasks))
    result.unlink(missing_ok=True)
    done = subprocess.run(["xvfb-run", "-a", "java", "-Xmx1g", "-cp", str(JAR), "ij.ImageJ", "-batch", str(MACRO),
                           f"{tasks_file}|{result}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)
    found = _parse(result.read_text()) if result.exists() else []
    assert len(found) == len(tasks), (f"ImageJ measured {len(found)} of {len(tasks)}, stopped at "
                                      f"{tasks[len(found)][1]}: {done.stdout[-2000:]}")
    return found


def _parse(text):
    images = []
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind == "image":
            title, width, height, channels, slices, frames, bits, unit, vx, vy, vz = fields
            images.append({"title": title, "width": int(width), "height": int(height), "channels": int(channels),
                           "slices": int(slices), "frames": int(frames), "bits": int(bits), "unit": unit,
                           "voxel": (float(vx), float(vy), float(vz)), "planes": []})
        else:
            label, mean, low, high = fields
            images[-1]["planes"].append({"label": label, "mean": float(mean), "min": float(low), "max": float(high)})
    return images
