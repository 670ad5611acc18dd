/**
 * The peer's side of the replay: over its pipe, with the hash table that suits it best.
 *
 * @module
 */

import { type Replayed, type ReplayPeer, writeOracleTrace } from "./_replay_peers.ts";

/** The peer on one trace, which lies in a file meanwhile. */
export class PeerReplays implements Disposable {
  readonly #peer: ReplayPeer;
  readonly #path: string;
  readonly #requests: number;
  /** By policy and slots: the hash power that was fastest. */
  readonly #powers = new Map<string, number>();

  constructor(peer: ReplayPeer, folder: string, keys: Uint32Array) {
    this.#peer = peer;
    this.#path = `${folder}/replay.oracleGeneral`;
    this.#requests = keys.length;
    writeOracleTrace(this.#path, keys);
  }

  /** Tries hash tables of half as many to four times as many buckets as entries; the fastest. */
  async tune(policy: string, slots: number): Promise<Replayed> {
    const power = Math.ceil(Math.log2(slots));
    let best: Replayed = { ns: Infinity, misses: -1 };
    for (let hashpower = power - 1; hashpower <= power + 2; hashpower++) {
      const replayed = await this.#replay(policy, slots, hashpower, 1);
      if (replayed.ns >= best.ns) continue;
      best = replayed;
      this.#powers.set(`${policy} ${slots}`, hashpower);
    }
    return best;
  }

  /** Replays with the hash table that was fastest. */
  replay(policy: string, slots: number, repeats: number): Promise<Replayed> {
    return this.#replay(policy, slots, this.#powers.get(`${policy} ${slots}`)!, repeats);
  }

  #replay(policy: string, slots: number, hashpower: number, repeats: number): Promise<Replayed> {
    const trace = { path: this.#path, requests: this.#requests };
    return this.#peer.replay({ ...trace, policy, slots, hashpower, repeats });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#path);
  }
}
