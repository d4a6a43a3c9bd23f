/** Uploads. Both carry the stored token unless they are given another. */

import { requestJson } from "./request.ts";

export interface UploadedFile {
  id: string;
  url: string;
  size: number;
}

export type UploadInput = File | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

export interface UploadOptions {
  /** Without it, the name of the `File`. */
  filename?: string | undefined;
  /** Without it, the type of the `Blob`. */
  contentType?: string | undefined;
  token?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Upload bytes as the whole body of a request. */
export function uploadFile(input: UploadInput, options: UploadOptions = {}): Promise<UploadedFile> {
  const { token, signal } = options;
  const name = options.filename ?? (input instanceof File ? input.name : undefined);
  const type = options.contentType ?? (input instanceof Blob ? input.type : "");
  const headers = {
    "Content-Type": type === "" ? "application/octet-stream" : type,
    // Headers hold Latin-1 only; the server decodes.
    ...(name === undefined ? {} : { "X-Filename": encodeURIComponent(name) }),
  };
  return requestJson("/api/files/upload", { method: "POST", body: input, headers, token, signal });
}

/** Upload as a form: the fields, then the part named `file`. */
export function uploadFileMultipart(
  file: File | Blob,
  fields: Record<string, string> = {},
  options: Pick<UploadOptions, "token" | "signal"> = {},
): Promise<UploadedFile> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file);
  return requestJson("/api/files/upload", { method: "POST", body: form, ...options });
}
