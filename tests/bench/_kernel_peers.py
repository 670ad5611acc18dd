"""The peers of `deno task bench kernels`, driven by it: one JSON request a line on standard input,
one JSON answer a line on standard output.

PyTorch's embedding bags (FBGEMM is inside) read fused rows with scale and bias last, and fp32
tables; fbgemm-gpu-cpu's table-batched inference module reads rows with scale and bias first. Both
run on one thread, over the same bytes and the same indices as ours.
"""

import json
import mmap
import sys
import time

import numpy
import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)

try:
    import fbgemm_gpu
    from fbgemm_gpu.split_embedding_configs import SparseType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import (
        BoundsCheckMode,
        EmbeddingLocation,
        PoolingMode,
    )
    from fbgemm_gpu.split_table_batched_embeddings_ops_inference import (
        IntNBitTableBatchedEmbeddingBagsCodegen,
    )
except ImportError:
    fbgemm_gpu = None

FUSED = {
    "q8": "embedding_bag_byte_rowwise_offsets",
    "q4": "embedding_bag_4bit_rowwise_offsets",
    "q2": "embedding_bag_2bit_rowwise_offsets",
}
BATCHED = {"tbe8": "INT8", "tbe4": "INT4", "tbe2": "INT2"}
PAGE = 2 << 20
# Its bounds check is a pass of its own; the lookup checks every index once more.
TUNED = "--tuned" in sys.argv


class State:
    """One table and one stream of indices at a time: several would not fit beside ours."""

    table = None
    mapping = None
    slots = None
    lookup = None
    module = None


def versions(_request):
    found = {"torch": torch.__version__}
    if fbgemm_gpu is not None:
        found["fbgemm-gpu-cpu"] = fbgemm_gpu.__version__
    return found


def table(request):
    """A table that repeats the rows of a file: what is timed is where a row lies, not what it says.

    Pages are small or huge as asked; anonymous and private, since shared ones are never huge here.
    """
    drop({})
    row_bytes, rows = request["rowBytes"], request["rows"]
    base = numpy.fromfile(request["path"], dtype=numpy.uint8)
    total = rows * row_bytes
    mapping = mmap.mmap(-1, total + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if request["huge"] is not None:
        mapping.madvise(mmap.MADV_HUGEPAGE if request["huge"] else mmap.MADV_NOHUGEPAGE)
    whole = numpy.frombuffer(mapping, dtype=numpy.uint8)
    # Aligned like ours, to a page; a table of the in-cache size may start anywhere in it.
    start = -whole.ctypes.data % PAGE
    if start + total > whole.size:
        start = 0
    view = whole[start : start + total]
    for at in range(0, total, base.size):
        part = view[at : at + base.size]
        part[:] = base[: part.size]
    State.mapping = mapping
    State.table = torch.from_numpy(view)
    State.lookup = lookup_of(request["format"], rows, request["dim"], row_bytes)
    return {"lookup": State.lookup is not None}


def lookup_of(name, rows, dim, row_bytes):
    """The call that users make: a function of indices and offsets; None where there is none."""
    if name == "f32":
        weight = State.table.view(torch.float32).view(rows, dim)
        return lambda indices, offsets: torch.nn.functional.embedding_bag(
            indices, weight, offsets, mode="sum", include_last_offset=True
        )
    if name in FUSED:
        weight = State.table.view(rows, row_bytes)
        call = getattr(torch.ops.quantized, FUSED[name], None)
        if call is None:
            return None
        return lambda indices, offsets: call(
            weight, indices, offsets, False, 0, False, None, None, True
        )
    if name in BATCHED and fbgemm_gpu is not None:
        return batched(name, rows, dim)
    return None


def batched(name, rows, dim):
    module = IntNBitTableBatchedEmbeddingBagsCodegen(
        embedding_specs=[
            ("table", rows, dim, getattr(SparseType, BATCHED[name]), EmbeddingLocation.HOST)
        ],
        device="cpu",
        pooling_mode=PoolingMode.SUM,
        output_dtype=SparseType.FP32,
        row_alignment=1,
        bounds_check_mode=BoundsCheckMode.NONE if TUNED else BoundsCheckMode.WARNING,
    )
    module.initialize_weights()
    # Its own way in would copy the table; the rows are taken where they lie.
    module.weights_host = State.table
    State.module = module
    return module


def drop(_request):
    State.lookup = State.module = State.table = None
    State.mapping = None
    return {}


def slots(request):
    State.slots = torch.from_numpy(numpy.fromfile(request["path"], dtype=numpy.int32))
    return {"slots": State.slots.numel()}


def batches(bags, pooling):
    """The stream cut into batches, in order; int32 as ours are, which the peers also run faster."""
    count = State.slots.numel() // (bags * pooling)
    offsets = torch.arange(0, (bags + 1) * pooling, pooling, dtype=torch.int32)
    cut = [State.slots[i * bags * pooling : (i + 1) * bags * pooling] for i in range(count)]
    return cut, offsets


def timed(request):
    """Nanoseconds a row over at least `seconds`, batch after batch."""
    bags, pooling = request["bags"], request["pooling"]
    cut, offsets = batches(bags, pooling)
    lookup, seconds = State.lookup, request["seconds"]
    at, calls = request["from"] % len(cut), 0
    for _ in range(request["warm"]):
        lookup(cut[at], offsets)
    began = time.perf_counter_ns()
    until = began + seconds * 1e9
    now = began
    # The clock is read every few calls: it costs 50 ns, and a small call takes 10 us.
    step = max(1, 2_000 // bags)
    while now < until:
        for _ in range(step):
            lookup(cut[at], offsets)
            at += 1
            if at == len(cut):
                at = 0
        calls += step
        now = time.perf_counter_ns()
    return {"nsPerRow": (now - began) / (calls * bags * pooling), "at": at}


def overhead(request):
    """Nanoseconds of a call that has one bag of one row: all of it is overhead, to within 1 %."""
    indices = State.slots[:1].clone()
    offsets = torch.tensor([0, 1], dtype=torch.int32)
    lookup, best = State.lookup, float("inf")
    for _ in range(7):
        began = time.perf_counter_ns()
        for _ in range(1000):
            lookup(indices, offsets)
        best = min(best, (time.perf_counter_ns() - began) / 1000)
    return {"ns": best}


def output(request):
    """Writes the pooled vectors of the first batch, as fp32, for ours to be held against."""
    cut, offsets = batches(request["bags"], request["pooling"])
    State.lookup(cut[0], offsets).to(torch.float32).contiguous().numpy().tofile(request["path"])
    return {}


OPERATIONS = {
    operation.__name__: operation
    for operation in (versions, table, drop, slots, timed, overhead, output)
}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = OPERATIONS[request["op"]](request)
        except Exception as error:  # noqa: BLE001 - the other side decides what a failure means
            answer = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
        print(json.dumps(answer), flush=True)


main()
