/**
 * Where the app's server is, what the app is called, and where it keeps small things such as the token.
 *
 * One per page, because components find them without being handed anything. Nothing is read or written before a
 * function here is called.
 */

import { defaultStorage, type Storage } from "@pylonsync/sync";

const DEFAULT_BASE_URL = "http://localhost:4321";
const DEFAULT_APP_NAME = "default";

interface Settings {
  /** Undefined until the app says. */
  baseUrl: string | undefined;
  appName: string;
  storage: Storage | undefined;
  warnedOfPlainHttp: boolean;
}

const settings: Settings = {
  baseUrl: undefined,
  appName: DEFAULT_APP_NAME,
  storage: undefined,
  warnedOfPlainHttp: false,
};

export interface ClientConfig {
  /** Without a trailing slash: paths are appended. */
  baseUrl?: string | undefined;
  /** Keeps the tokens of apps on one origin apart. */
  appName?: string | undefined;
}

/** Say where the server is. What is not given stays as it was. */
export function configureClient(config: ClientConfig): void {
  if (config.baseUrl !== undefined) settings.baseUrl = config.baseUrl;
  if (config.appName !== undefined) settings.appName = config.appName;
  warnOfPlainHttp();
}

export function getBaseUrl(): string {
  return settings.baseUrl ?? DEFAULT_BASE_URL;
}

export function getAppName(): string {
  return settings.appName;
}

/** The storage key of one of the app's slots: `pylon_token`, or `pylon:shop:token` for an app named "shop". */
export function storageKey(slot: string): string {
  return settings.appName === DEFAULT_APP_NAME ? `pylon_${slot}` : `pylon:${settings.appName}:${slot}`;
}

/** Use another place than localStorage for the token; call before anything else. */
export function setReactStorage(storage: Storage): void {
  settings.storage = storage;
}

export function getReactStorage(): Storage {
  return (settings.storage ??= defaultStorage());
}

/** The token the app stored, which requests carry unless they are given another. */
export function storedToken(): string | null {
  return getReactStorage().get(storageKey("token"));
}

/** Throws on a page that is served from somewhere and never said where its server is. */
export function requireBaseUrl(): string {
  const host = pageLocation()?.hostname ?? "";
  if (settings.baseUrl === undefined && !isLocal(host)) {
    throw new Error("Call configureClient({ baseUrl }) or init({ baseUrl }) first: this page is not on localhost.");
  }
  return getBaseUrl();
}

function isLocal(host: string): boolean {
  return host === "" || host === "localhost" || host === "127.0.0.1" || host.endsWith(".localhost");
}

function warnOfPlainHttp(): void {
  if (settings.warnedOfPlainHttp || pageLocation()?.protocol !== "https:") return;
  if (!getBaseUrl().startsWith("http://")) return;
  settings.warnedOfPlainHttp = true;
  console.warn("pylon: this page is https and its server is http; browsers will refuse the requests");
}

/** Undefined where there is no page: on a server, and in React Native, whose `window` has no location. */
export function pageLocation(): Location | undefined {
  return typeof window === "undefined" ? undefined : window.location;
}
