/**
 * A worker that answers one question again and again: a side of a benchmark in an isolate of its
 * own.
 *
 * @module
 */

/** Asks the same each time; the worker posts the answer, or `{ error }`. */
export class AskedWorker<Asked, Answer> implements Disposable {
  readonly #worker: Worker;
  readonly #asked: Asked;

  constructor(url: URL, asked: Asked) {
    this.#worker = new Worker(url, { type: "module" });
    this.#asked = asked;
  }

  /** Runs once. */
  run(): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#worker.onmessage = ({ data }): void => {
      if (data.error === undefined) resolve(data);
      else reject(new Error(data.error));
    };
    this.#worker.onerror = (event): void => reject(new Error(event.message));
    this.#worker.postMessage(this.#asked);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
