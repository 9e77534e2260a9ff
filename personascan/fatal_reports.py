"""A filter that turns JAX's report of a lost process, pages of C++, into one line.

JAX's runtime ends a process by itself when another is lost, and that process can no longer say why.
So a second process reads the output of native code: `processes.join` starts this file.
"""

import os
import re
import signal
import sys

JOINED = "\0joined"  # followed by the number of processes: written by `join` once it is done
RECORD = re.compile(r"(?P<severity>[IWEF])\d{4} [\d:.]+ +\d+ (?P<file>[\w./-]+):\d+\] ")
RUNTIME = (
    "client.h",
    "coordination_service",
    "preemption_",
    "service.cc",
    "distributed",
    "add_port",
)
CONNECTED = re.compile(r"\[Gloo\] Rank \d+ is connected to ")
LOST = re.compile(r"^(?:/job:\S*task:)?(\d+)$", re.MULTILINE)
AGAIN = "start all of them again"


def read(lines, say, coordinator: str, seconds: str) -> None:
    """Passes lines on to `say`, except those of JAX's distributed runtime; then says the cause."""
    total, report, of_runtime = "", "", False
    for line in lines:
        if line.startswith(JOINED):
            total = line.split()[1]
            continue
        if record := RECORD.match(line):
            of_runtime = record["file"].startswith(RUNTIME)
            if of_runtime and record["severity"] == "F" and not report:
                report = line
                continue
        if report and of_runtime:
            report += line
        elif not of_runtime and not CONNECTED.match(line):
            say(line)
    if report:
        say(f"error: {cause(report, total, coordinator, seconds)}\n")


def cause(report: str, total: str, coordinator: str, seconds: str) -> str:
    """Returns the meaning of a fatal report, and what to do."""
    if not total:
        return (
            f"the processes did not all reach {coordinator} within {seconds} s; start each of them "
            "with the same coordinator and number of processes, and see that its port is open"
        )
    lost = LOST.findall(report.partition("*** Check failure")[0])
    if not lost and "coordination service" in report.partition("absl::Status:")[2]:
        lost = ["0"]  # which runs the service
    if not lost:
        first = " ".join(report.partition("absl::Status:")[2].split())[:160]
        return f"the {total} processes lost each other ({first}); {AGAIN}"
    names = f"process {lost[0]}" if len(lost) == 1 else f"processes {', '.join(lost)}"
    return f"{names} of {total} {'was' if len(lost) == 1 else 'were'} lost; {AGAIN}"


def main() -> None:
    """Filters standard input to standard error until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when its input ends
    sys.stdin.reconfigure(errors="backslashreplace")
    read(sys.stdin, lambda line: os.write(2, line.encode()), *sys.argv[1:])


if __name__ == "__main__":
    main()
