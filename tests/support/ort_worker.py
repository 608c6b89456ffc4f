"""Runs models in whichever ONNX Runtime this process imports. A program of its own.

Usage: python ort_worker.py JOBS.json, a list of {"model", "input" (.npy), "output" (.npz),
"optimise" (bool, or the name of a level such as "BASIC"), "library" (path or null)}. Prints one
line of JSON: the version and, for each job, {"error": text or null}; the model's outputs are in the
job's .npz file, in order.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort


def run(job):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    levels = ort.GraphOptimizationLevel
    named = {False: "ORT_DISABLE_ALL", True: "ORT_ENABLE_ALL"}
    level = named.get(job["optimise"], f"ORT_ENABLE_{job['optimise']}")
    options.graph_optimization_level = getattr(levels, level)
    if job["library"]:
        options.register_custom_ops_library(job["library"])
    session = ort.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: np.load(job["input"])}
    np.savez(job["output"], *session.run(None, feeds))


def main():
    results = []
    jobs = json.loads(Path(sys.argv[1]).read_text())
    for job in jobs:
        try:
            run(job)
            results.append({"error": None})
        except Exception as error:
            results.append({"error": str(error)})
    print(json.dumps({"version": ort.__version__, "results": results}))


main()
