"""Paths that the reference scripts share."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "models" / "tiny"
REFERENCE = ROOT / "test" / "reference"
