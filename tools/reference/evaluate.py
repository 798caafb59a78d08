#!/usr/bin/env python3
"""Runs the tests of HumanEval's kind against samples and prints pass@k.

    python3 evaluate.py samples.jsonl problems.jsonl

A problem is a line with task_id, prompt, test and entry_point; a sample is one with task_id and completion. Each sample is
a program, prompt + completion + test + check(entry_point), that runs in a process of its own, with limits of time and memory.

That is no sandbox: the programs can do what their user can. Run samples of models that you do not trust in a container.
"""

import argparse
import concurrent.futures
import json
import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile

# The child: reads the word that says "passed" and the program, limits itself, runs the program, and says the word. A program
# that ends early, even with exit code 0, never comes to that.
CHILD = r"""
import json, os, sys
word, program, memory, seconds = json.load(sys.stdin)
try:
    import resource
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass                                    # Windows and macOS: the time limit is all there is
parent = os.getpid()
answer = os.dup(1)
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
os.dup2(1, 0)
try:
    exec(compile(program, "<sample>", "exec"), {})
    if os.getpid() == parent:               # and not what it has forked
        os.write(answer, word.encode())
except BaseException as error:
    message = " ".join(str(error).split())[:200]
    if os.getpid() == parent:
        os.write(answer, f"{type(error).__name__}: {message}".rstrip(": ").encode("utf-8", "replace"))
    os._exit(1)
os._exit(0)
"""


class InputError(Exception):
    """A file that cannot be evaluated."""


def read_lines(path, needed):
    """The JSON objects of a file with their line numbers; each must have the needed texts."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number} is no JSON: {error}. Each line must be one JSON object.")
        for name in needed:
            if not isinstance(row, dict) or not isinstance(row.get(name), str):
                raise InputError(f"{path}, line {number} has no text {name}; {', '.join(needed)} are needed.")
        yield number, row


def read_problems(path):
    problems = {}
    for number, row in read_lines(path, ["task_id", "prompt", "test", "entry_point"]):
        if row["task_id"] in problems:
            raise InputError(f"{path}, line {number}: the task_id {row['task_id']} occurs twice.")
        problems[row["task_id"]] = row
    if not problems:
        raise InputError(f"{path} has no problems.")
    return problems


def read_samples(path, problems):
    samples = []
    for number, row in read_lines(path, ["task_id", "completion"]):
        if row["task_id"] not in problems:
            raise InputError(f"{path}, line {number} is a sample of {row['task_id']}, which is not among the problems.")
        samples.append({"task_id": row["task_id"], "completion": row["completion"]})
    missing = problems.keys() - {sample["task_id"] for sample in samples}
    if missing:
        raise InputError(f"{path} has no sample of {min(missing)} and {len(missing) - 1} other problems; "
                         "pass@k is an average over all of them.")
    return samples


def stop(process):
    """Ends a process and those that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except AttributeError:
        process.kill()                      # Windows
    except ProcessLookupError:
        pass


def run(problem, completion, timeout, memory):
    """What came of a sample: "passed", "timed out", or the error."""
    program = f"{problem['prompt']}{completion}\n{problem['test']}\ncheck({problem['entry_point']})\n"
    word = secrets.token_hex(16)
    task = json.dumps([word, program, memory, math.ceil(timeout) + 1])
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=directory, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            answer, _ = process.communicate(task.encode(), timeout=timeout)
        except subprocess.TimeoutExpired:
            return "timed out"
        finally:
            stop(process)                   # also what a sample that is done has left running
            process.communicate()
    if answer == word.encode():
        return "passed"
    return answer.decode("utf-8", "replace") or f"ended with exit code {process.returncode}"


def pass_at_k(n, c, k):
    """The chance that at least one of k samples, drawn from n of which c pass, passes: 1 - C(n - c, k) / C(n, k).

    The unbiased estimator of Chen et al. 2021, arXiv:2107.03374, section 2.1.
    """
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def averages(samples, ks=(1, 10, 100)):
    """pass@k over all problems, for every k for which each problem has enough samples."""
    counts = {}
    for sample in samples:
        n, c = counts.get(sample["task_id"], (0, 0))
        counts[sample["task_id"]] = n + 1, c + sample["passed"]
    enough = min(n for n, _ in counts.values())
    return {k: math.fsum(pass_at_k(n, c, k) for n, c in counts.values()) / len(counts) for k in ks if k <= enough}


def evaluate(problems, samples, timeout, memory, jobs):
    """Adds "result" and "passed" to every sample."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda sample: run(problems[sample["task_id"]], sample["completion"], timeout, memory), samples)
        for sample, result in zip(samples, results):
            sample["result"], sample["passed"] = result, result == "passed"


def positive(kind):
    def parse(text):
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value
    parse.__name__ = kind.__name__
    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="No sandbox: run samples of models that you do not trust in a container.")
    parser.add_argument("samples", help="JSON lines with task_id and completion, as mtx sample writes them")
    parser.add_argument("problems", help="JSON lines with task_id, prompt, test and entry_point")
    parser.add_argument("--timeout", type=positive(float), default=3.0, metavar="S", help="seconds for each sample (default: 3)")
    parser.add_argument("--memory", type=positive(int), default=1024, metavar="MB", help="address space for each sample (default: 1024)")
    parser.add_argument("--jobs", type=positive(int), default=os.cpu_count() or 1, metavar="N", help="samples at the same time (default: one per processor)")
    parser.add_argument("--results", metavar="FILE", help="write every sample with its result to this file")
    arguments = parser.parse_args()
    try:
        problems = read_problems(arguments.problems)
        samples = read_samples(arguments.samples, problems)
        evaluate(problems, samples, arguments.timeout, arguments.memory * 2**20, arguments.jobs)
        if arguments.results:
            with open(arguments.results, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(sample) + "\n" for sample in samples)
    except (InputError, OSError) as error:
        sys.exit(f"evaluate.py: {error}")
    passed = sum(sample["passed"] for sample in samples)
    timed_out = sum(sample["result"] == "timed out" for sample in samples)
    print(f"problems {len(problems)}, samples {len(samples)}: passed {passed}, failed {len(samples) - passed - timed_out}, timed out {timed_out}")
    for k, value in averages(samples).items():
        print(f"pass@{k} {value:.4f}")


if __name__ == "__main__":
    main()
