"""Replays of libCacheSim's own C loop, one line of JSON in, one out.

{"op": "versions"} -> {"libcachesim": "0.3.5"}
{"op": "replay", "policy", "path", "requests", "slots", "hashpower", "repeats"} ->
  {"ns": a request, "misses": of one replay}
"""

import json
import sys
import time
from importlib.metadata import version

import libcachesim as lcs

POLICIES = {
    "fifo": lcs.FIFO,
    "lru": lcs.LRU,
    "clock": lcs.Clock,
    "sieve": lcs.Sieve,
    "lfu": lcs.LFU,
    "slru": lcs.SLRU,
    "twoq": lcs.TwoQ,
    "arc": lcs.ARC,
    "s3fifo": lcs.S3FIFO,
    "wtinylfu": lcs.WTinyLFU,
}


def replay(request):
    """Times process_trace alone: neither the making of the cache nor the opening of the trace."""
    policy = POLICIES[request["policy"]]
    seconds = 0.0
    for _ in range(request["repeats"]):
        reader = lcs.TraceReader(request["path"], lcs.TraceType.ORACLE_GENERAL_TRACE)
        cache = policy(request["slots"], hashpower=request["hashpower"])
        began = time.perf_counter()
        miss_ratio, _ = cache.process_trace(reader)
        seconds += time.perf_counter() - began
    requests = request["requests"]
    return {
        "ns": seconds * 1e9 / requests / request["repeats"],
        "misses": round(miss_ratio * requests),
    }


for line in sys.stdin:
    asked = json.loads(line)
    try:
        if asked["op"] == "versions":
            answer = {"libcachesim": version("libcachesim")}
        else:
            answer = replay(asked)
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
