"""How long do `import muemg` and `muemg --help` take? Best and median of fresh interpreters, as JSON."""

import json
import platform
import statistics
import subprocess
import sys
import time

REPEATS = 9
STATEMENTS = {
    "python": "pass",
    "import muemg": "import muemg",
    "import forward_models": "import forward_models",
    "muemg --help": "import sys; sys.argv = ['muemg', '--help']; from muemg.cli import main; main()",
}


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    results = {}
    for name, statement in STATEMENTS.items():
        seconds(statement)  # the first run compiles and fills the disk cache
        runs = [seconds(statement) for _ in range(REPEATS)]
        results[name] = {"best_s": round(min(runs), 3), "median_s": round(statistics.median(runs), 3)}
    print(json.dumps({"python": platform.python_version(), "repeats": REPEATS, "results": results}, indent=2))


if __name__ == "__main__":
    main()
