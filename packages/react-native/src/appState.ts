/** Disconnects while the app is in the background: the system would cut the connection anyway, and wake for nothing. */

import { pauseSync, resumeSync } from "@pylonsync/react";

/** The part of React Native's `AppState` that is used. */
export interface AppState {
  addEventListener(type: "change", listener: (state: string) => void): { remove(): void };
}

/** "inactive" is a moment's look away (a call, the app switcher) and changes nothing. Returns the way to stop. */
export function followAppState(appState: AppState): () => void {
  const subscription = appState.addEventListener("change", (state) => {
    if (state === "background") pauseSync();
    else if (state === "active") resumeSync();
  });
  return () => subscription.remove();
}
