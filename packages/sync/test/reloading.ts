/** A tab that is reloaded, with and without a network: what tests of what outlives it need. */

import type { SyncEngineConfig } from "../src/config.ts";
import type { SyncEngine } from "../src/engine.ts";
import { Browser, calm, World } from "./world.ts";

export const titles = (engine: SyncEngine): unknown[] => engine.store.list("Note").map((row) => row["title"]);

export function world(browser = new Browser()): World {
  const made = new World();
  made.browser = browser;
  // Ids of engines that follow each other must differ, as they do by chance.
  let draws = 0;
  made.random = () => (draws += 1e-6);
  return made;
}

/** Nothing answers from now on; returns the way back. */
export function offline(of: World): () => void {
  const usual = new Map(of.routes);
  for (const path of usual.keys()) {
    of.routes.set(path, () => {
      throw new TypeError("offline");
    });
  }
  return () => usual.forEach((route, path) => of.routes.set(path, route));
}

/** The tab is reloaded: the old engine ends, a new one starts on what was saved. */
export async function reload(of: World, engine: SyncEngine, config: Partial<SyncEngineConfig> = {}): Promise<SyncEngine> {
  await calm();
  engine.stop();
  const next = of.engine(config);
  void next.start();
  await calm();
  return next;
}
