/**
 * A binary heap of events by time, then by sequence number, so that two at one time come out in the
 * order they were made. On typed arrays: an event is a small integer.
 *
 * @module
 */

/** The heap. An event's time and number are columns by event; `order` holds the heap of events. */
export interface EventHeap {
  /** Events held. */
  count: number;
  /** When each is due, by event. */
  readonly dueNs: Float64Array;
  /** Its number, by event; unique among those held. */
  readonly sequence: Float64Array;
  /** Events, each no later than the two at 2 i + 1 and 2 i + 2. */
  readonly order: Uint16Array;
}

/** A heap for events 0 to `capacity` - 1, each held once at most; `capacity` up to 65,536. */
export function createEventHeap(capacity: number): EventHeap {
  return {
    count: 0,
    dueNs: new Float64Array(capacity),
    sequence: new Float64Array(capacity),
    order: new Uint16Array(capacity),
  };
}

/** When the first event is due; Infinity when there is none. */
export function firstDueNs(heap: EventHeap): number {
  return heap.count === 0 ? Infinity : heap.dueNs[heap.order[0]];
}

/** Adds `event`. */
export function pushEvent(heap: EventHeap, event: number, dueNs: number, sequence: number): void {
  heap.dueNs[event] = dueNs;
  heap.sequence[event] = sequence;
  heap.order[heap.count] = event;
  siftUp(heap, heap.count++);
}

/** Takes the first event out; the heap must not be empty. */
export function popEvent(heap: EventHeap): number {
  const first = heap.order[0];
  removeAt(heap, 0);
  return first;
}

/** Takes `event` out, which must be in. Linear: for what is cancelled. */
export function removeEvent(heap: EventHeap, event: number): void {
  let at = 0;
  while (heap.order[at] !== event) at++;
  removeAt(heap, at);
}

function removeAt(heap: EventHeap, at: number): void {
  const last = heap.order[--heap.count];
  if (at === heap.count) return;
  heap.order[at] = last;
  siftDown(heap, siftUp(heap, at));
}

function isBefore(heap: EventHeap, a: number, b: number): boolean {
  const { dueNs, sequence } = heap;
  return dueNs[a] < dueNs[b] || (dueNs[a] === dueNs[b] && sequence[a] < sequence[b]);
}

/** Moves what stands at `at` up to its place, which it returns. */
function siftUp(heap: EventHeap, at: number): number {
  const { order } = heap;
  const event = order[at];
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(heap, event, order[parent])) break;
    order[at] = order[parent];
    at = parent;
  }
  order[at] = event;
  return at;
}

function siftDown(heap: EventHeap, at: number): void {
  const { order, count } = heap;
  const event = order[at];
  for (let child = 2 * at + 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && isBefore(heap, order[child + 1], order[child])) child++;
    if (!isBefore(heap, order[child], event)) break;
    order[at] = order[child];
    at = child;
  }
  order[at] = event;
}
