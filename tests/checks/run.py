"""All quick checks on the tree: prints what is wrong and fails when anything is."""
import sys
from pathlib import Path

import floors
import layout
import linkage
import tables
import words

CHECKS = {"floors": floors, "layout": layout, "words": words, "tables": tables, "linkage": linkage}
ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    bad = 0
    for name, check in CHECKS.items():
        found = list(check.problems(ROOT))
        print(f"check {name}: {'ok' if not found else f'{len(found)} problems'}")
        for line in found:
            print("  " + line)
        bad += len(found)
    sys.exit(1 if bad else 0)
