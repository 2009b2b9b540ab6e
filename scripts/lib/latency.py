"""Another client of a server: how long a GET takes it, a thousand times a second, until its input ends.

latency.py PORT: prints how often it asked, and the median and 99th percentile in milliseconds, as JSON. A process
of its own: a thread would wait for those beside it, and count that as the server's time.
"""
import json
import select
import sys
import time

from resp import Client


def measure(port):
    client, times = Client(port), []
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        begin = time.monotonic()
        client("GET", "latency:probe")
        times.append((time.monotonic() - begin) * 1000)
    times.sort()
    return {"count": len(times), "p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)]}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
