"""Times `lst predict` on a folder of queries beside the backbone's bare convolutions.

    python -m benchmarks.predict_stream              the preset glyphs, and ResNet-12 of the paper
    python -m benchmarks.predict_stream --memory     peak memory of 1,000 and 20,000 images

Queries are PNG files of 84x84 pixels that nothing has read before: the cache is off.
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image

COUNTS = (1000, 20000)
BATCH = 64
PAPER = (64, 128, 256, 512)


def write_pictures(folder: pathlib.Path, count: int, seed: int = 0, side: int = 84) -> None:
    """Writes pictures of noise on a smooth ground."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        ground = np.kron(rng.integers(0, 256, (3, 3, 3)), np.ones((side // 3, side // 3, 1)))
        pixels = np.uint8(np.clip(ground + rng.normal(0, 10, ground.shape), 0, 255))
        Image.fromarray(pixels).save(folder / f"{number:06d}.png", compress_level=1)


def time_stream(name: str, count: int, rounds: int) -> tuple[float, float]:
    """Returns median images a second of the stream, and of the convolutions alone."""
    from benchmarks.convolutions import limit
    from lst_tf2 import LSTClassifier
    from lst_tf2.config import ModelConfig
    from lst_tf2.predict.backbones import Backbone
    from lst_tf2.predict.folders import find_pictures
    from lst_tf2.predict.folding import build_plain

    model = ModelConfig((16, 32, 64, 128), 32) if name == "glyphs" else ModelConfig(PAPER, 84)
    bare = limit(model, forward=[BATCH], backward=[])
    with tempfile.TemporaryDirectory() as folder:
        queries = pathlib.Path(folder, "queries")
        write_pictures(queries, count)
        backbone = "glyphs" if name == "glyphs" else build_plain(model, 84)
        classifier = LSTClassifier(backbone, cache=False)
        images = list(find_pictures([queries]))[:20]
        classifier.fit(images, ["a", "b"] * 10)
        assert isinstance(classifier.backbone_, Backbone)
        paces: dict[str, list[float]] = {"stream": [], "bare": []}
        for _ in range(rounds + 1):  # The first is thrown away: graphs are traced in it.
            started = time.perf_counter()
            seen = 0
            for group in classifier.stream_groups(find_pictures([queries])):
                embeddings = np.stack([one.embedding for one in group])
                classifier.head_.probs(embeddings)
                seen += len(group)
            paces["stream"].append(seen / (time.perf_counter() - started))
            started = time.perf_counter()
            for _ in range(count // BATCH):
                bare()
            paces["bare"].append(count // BATCH * BATCH / (time.perf_counter() - started))
    return tuple(float(np.median(pace[1:])) for pace in paces.values())


def peak_of_queries(count: int) -> float:
    """Returns the peak memory of `lst predict` on so many queries, in megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        write_pictures(root / "queries", count)
        for seed, name in enumerate("ab", start=1):
            write_pictures(root / "support" / name, 2, seed)
        command = [sys.executable, "-m", "lst_tf2.cli.main", "predict", f"--support={root}/support"]
        command += [f"--query={root}/queries", f"--out={root}/out.csv", "--cache=none"]
        subprocess.run(command, check=True, capture_output=True)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    """Prints what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if asked.memory:
        for count in COUNTS:
            print(f"{count} queries: peak {peak_of_queries(count):.0f} MB")
        return
    for name, count in (("glyphs", 6400), ("paper", 640)):
        stream, bare = time_stream(name, count, asked.rounds)
        print(f"{name}: {stream:.0f} images/s, convolutions {bare:.0f}: ratio {stream / bare:.2f}")


if __name__ == "__main__":
    main()
