/** Hooks and operations over the page's one engine. */

import type { Created, Row, SyncEngine, SyncStatus } from "@pylonsync/sync";
import { startedEngine, useEngine } from "./engine.ts";
import { uploadFile, uploadFileMultipart, type UploadedFile, type UploadInput, type UploadOptions } from "./files.ts";
import { callFn, streamFn } from "./functions.ts";
import { type AggregateResult, type AggregateSpec, useAggregate } from "./useAggregate.ts";
import { type ConnectionStatus, useConnection } from "./useConnection.ts";
import { type EntityMutation, useEntityMutation } from "./useEntityMutation.ts";
import { type InfiniteQueryOptions, type InfiniteQueryResult, useInfiniteQuery } from "./useInfiniteQuery.ts";
import { type LiveQueryOptions, type LiveQueryResult, useLiveQuery } from "./useLiveQuery.ts";
import { type MutationResult, useMutation } from "./useMutation.ts";
import { type PresenceResult, usePresence } from "./usePresence.ts";
import { type QueryOptions, type QueryResult, useQuery } from "./useQuery.ts";
import { type QueryOneResult, useQueryOne } from "./useQueryOne.ts";
import { type SearchResult, type SearchSpec, useSearch } from "./useSearch.ts";
import { type SessionResult, useSession } from "./useSession.ts";
import { useSyncStatus } from "./useSyncStatus.ts";
import { type TopicMessage, type TopicResult, useTopic } from "./useTopic.ts";
import { type FailedWrites, type UnsentWrites, useFailedWrites, useUnsent } from "./useWrites.ts";

export const db = {
  /** The page's engine, which this starts: for handlers and effects. In a render, `useSync`. */
  get sync(): SyncEngine {
    return startedEngine();
  },

  /** The page's engine: as it is, and started once the component is on the page. */
  useSync(): SyncEngine {
    return useEngine();
  },

  useSyncStatus(): SyncStatus {
    return useSyncStatus(useEngine());
  },

  useConnection(): ConnectionStatus {
    return useConnection(useEngine());
  },

  useUnsent(): UnsentWrites {
    return useUnsent(useEngine());
  },

  useFailedWrites(): FailedWrites {
    return useFailedWrites(useEngine());
  },

  useQuery<T = Row>(entity: string, options?: QueryOptions): QueryResult<T> {
    return useQuery<T>(useEngine(), entity, options);
  },

  useQueryOne<T = Row>(entity: string, id: string): QueryOneResult<T> {
    return useQueryOne<T>(useEngine(), entity, id);
  },

  /** Does not start the engine: what it shows comes from the server, not from the replica. */
  useLiveQuery<T = Row>(entity: string, options?: LiveQueryOptions): LiveQueryResult<T> {
    return useLiveQuery<T>(entity, options);
  },

  useMutation<A = Record<string, unknown>, R = unknown>(fnName: string): MutationResult<A, R> {
    return useMutation<A, R>(fnName);
  },

  useInfiniteQuery<T = Row>(entity: string, options?: InfiniteQueryOptions): InfiniteQueryResult<T> {
    return useInfiniteQuery<T>(useEngine(), entity, options);
  },

  useAggregate<R = Row>(entity: string, spec: AggregateSpec): AggregateResult<R> {
    return useAggregate<R>(useEngine(), entity, spec);
  },

  useSearch<T = Row>(entity: string, spec: SearchSpec): SearchResult<T> {
    return useSearch<T>(useEngine(), entity, spec);
  },

  useEntity(entity: string): EntityMutation {
    return useEntityMutation(useEngine(), entity);
  },

  useSession(): SessionResult {
    return useSession(useEngine());
  },

  usePresence<T extends object = Row>(mine?: T): PresenceResult<T> {
    return usePresence<T>(useEngine(), mine);
  },

  useTopic<T = unknown>(topic: string, onMessage?: (message: TopicMessage<T>) => void): TopicResult<T> {
    return useTopic<T>(useEngine(), topic, onMessage);
  },

  /** Shown at once, queued, sent. The row's id is known at once; `sent` resolves after the attempt to send it. */
  create(entity: string, data: Row): Created {
    return startedEngine().create(entity, data);
  },

  /** As `create`; resolves to the row's id after the attempt to send it. */
  insert(entity: string, data: Row): Promise<string> {
    return startedEngine().insert(entity, data);
  },

  update(entity: string, id: string, patch: Row): Promise<void> {
    return startedEngine().update(entity, id, patch);
  },

  delete(entity: string, id: string): Promise<void> {
    return startedEngine().delete(entity, id);
  },

  /** Said when connected, and again on every new connection. */
  setPresence(data: Row): void {
    startedEngine().setPresence(data);
  },

  /** Dropped while not connected. */
  publishTopic(topic: string, data: unknown): void {
    startedEngine().publishTopic(topic, data);
  },

  fn<T = unknown>(name: string, args?: unknown): Promise<T> {
    return callFn<T>(name, args);
  },

  streamFn(name: string, args?: unknown): AsyncGenerator<string, unknown> {
    return streamFn(name, args);
  },

  uploadFile(input: UploadInput, options?: Pick<UploadOptions, "filename" | "contentType">): Promise<UploadedFile> {
    return uploadFile(input, options);
  },

  uploadFileMultipart(file: File | Blob, fields?: Record<string, string>): Promise<UploadedFile> {
    return uploadFileMultipart(file, fields);
  },
};

export type Db = typeof db;
