/**
 * The child process that runs an app's functions: `bun run runtime.ts <functions-dir>`.
 *
 * Reads `call`, `result` and `abandon` frames from stdin, writes everything else of the protocol to stdout. It ends when
 * the server closes its stdin.
 */

import { entriesOf, type LoadedFolder, loadFunctions } from "./discovery";
import { guardProcess } from "./guard";
import { Invoker } from "./invoke";
import { watchRejections } from "./open-requests";
import { LineSplitter, parseHostFrame } from "./protocol";
import { HostRequests } from "./rpc";
import { providePackages } from "./self-import";
import { FrameWriter } from "./writer";

const STDOUT = 1;

async function main(directory: string): Promise<void> {
  guardProcess();
  watchRejections();
  providePackages(directory);
  const writer = new FrameWriter(STDOUT);
  let loaded: LoadedFolder;
  try {
    loaded = await loadFunctions(directory);
  } catch {
    writer.send({ type: "ready", functions: [], error: `Cannot read functions directory: ${directory}` });
    writer.flush();
    process.exit(0);
  }
  const { registry, problems } = loaded;
  writer.send({ type: "ready", functions: entriesOf(registry), problems });
  writer.flush();
  const requests = new HostRequests(writer);
  await serve(new Invoker(registry, requests, writer, process.env), requests);
  requests.rejectAll("The server has gone");
  process.exit(0);
}

async function serve(invoker: Invoker, requests: HostRequests): Promise<void> {
  const splitter = new LineSplitter();
  for await (const chunk of Bun.stdin.stream()) {
    for (const line of splitter.push(chunk)) {
      const frame = parseHostFrame(line);
      if (frame === null) continue;
      if (frame.type === "call") invoker.run(frame);
      else if (frame.type === "abandon") invoker.abandon(frame.call_id);
      else requests.settle(frame);
    }
  }
}

await main(process.argv[2] ?? "functions");
