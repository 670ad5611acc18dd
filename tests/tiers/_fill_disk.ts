/**
 * A program: fills the small file system at its argument through each writable device, and prints a
 * line for each: its name, then the results of a write that fits, one that does not, the first
 * again, and a read.
 *
 * @module
 */

import { UnsupportedTargetError } from "../../base/errors.ts";
import { createFileDevice } from "../../tiers/file_device.ts";
import { IO_OP } from "../../tiers/io.ts";
import { createUringDevice } from "../../tiers/uring_device.ts";
import { complete, pages } from "./files.ts";
import type { OpenAccess } from "./real_access_cases.ts";

const DEVICES: Record<string, OpenAccess> = {
  uring: createUringDevice,
  direct: (options) => createFileDevice({ ...options, direct: true }),
  buffered: (options) => createFileDevice({ ...options, direct: false }),
};

if (import.meta.main) {
  for (const [title, open] of Object.entries(DEVICES)) {
    const path = `${Deno.args[0]}/${title}`;
    Deno.writeFileSync(path, new Uint8Array(0));
    Deno.truncateSync(path, 2 ** 20); // a hole: it takes no room yet
    try {
      using device = open({ files: [path], writable: true });
      device.attach(pages(16));
      const at = (op: number, offsetBytes: number, bytes: number) =>
        complete(device, { op, offsetBytes, bytes });
      const first = at(IO_OP.WRITE, 0, 16_384);
      // Until there is no room at all: a long write may end short before.
      let full = 0;
      for (let offset = 16_384; full >= 0 && offset < 2 ** 19; offset += 4096) {
        full = at(IO_OP.WRITE, offset, 4096);
      }
      const again = at(IO_OP.WRITE, 0, 16_384);
      console.log(title, first, full, again, at(IO_OP.READ, 0, 16_384));
    } catch (error) {
      if (!(error instanceof UnsupportedTargetError)) throw error;
    }
    Deno.removeSync(path);
  }
}
