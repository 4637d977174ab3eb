"""Times the way to the first step in a fresh process: import, build, trace, run.

python -m benchmarks.first_step train|test    prints the seconds of each part as JSON
"""

import json
import os
import sys
import time

START = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import meta_step
from benchmarks.timing import peak_memory
from lst_tf2.config import ModelConfig


def main() -> None:
    """Prints the seconds of each part."""
    is_train, recompute = sys.argv[1] == "train", "recompute" in sys.argv[2:]
    imported = time.perf_counter()
    model = ModelConfig(recompute=recompute)
    call = (meta_step.train_step if is_train else meta_step.test_episode)(model)
    built = time.perf_counter()
    call()
    first = time.perf_counter()
    call()
    second = time.perf_counter()
    seconds = {
        "import": imported - START,
        "build": built - imported,
        "trace": (first - built) - (second - first),
        "first": first - START,
        "steady": second - first,
        "peak_memory": peak_memory(),
    }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
