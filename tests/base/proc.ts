/**
 * What Linux says of this process. Deno itself reads /proc only when everything is granted, so that
 * a subprocess does it.
 *
 * @module
 */

/** The lines that `command` prints of the file or folder /proc/PID/`name` of this process. */
export function procLines(command: "cat" | "ls" | "readlink", name: string): string[] {
  const args = [`/proc/${Deno.pid}/${name}`];
  const { stdout } = new Deno.Command(command, { args }).outputSync();
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}
