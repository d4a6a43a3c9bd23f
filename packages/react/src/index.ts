/** `@pylonsync/react`: the public surface of the React client. */

export type { AppManifest, RouteMode } from "@pylonsync/sdk";
export { defineRoute } from "@pylonsync/sdk";
export type {
  ChangeEvent,
  ClientChange,
  Created,
  HydrationData,
  IdentityStatus,
  LiveClientOptions,
  PendingMutation,
  PresenceMessage,
  ResolvedSession,
  RoomEvent,
  Row,
  Storage,
  SyncCursor,
  SyncEngineConfig,
  SyncStatus,
  TransportType,
} from "@pylonsync/sync";
export {
  createLiveClient, createSyncEngine, getServerData, HttpError, LiveClient, LiveQueryError, LocalStore, MutationQueue,
  SyncEngine,
} from "@pylonsync/sync";
export type { ClientConfig } from "./config.ts";
export { configureClient, getAppName, getBaseUrl, getReactStorage, setReactStorage, storageKey } from "./config.ts";
export type { Db } from "./db.ts";
export { db } from "./db.ts";
export { init, onEngineStarted, pauseSync, resumeSync, wakeSync } from "./engine.ts";
export { fetchById, fetchList, insert, remove, update } from "./entities.ts";
export type { ExternalStore } from "./externalStore.ts";
export type { UploadedFile, UploadInput, UploadOptions } from "./files.ts";
export { uploadFile, uploadFileMultipart } from "./files.ts";
export type { Direction, RowQuery } from "./filter.ts";
export type { Include, Inclusion } from "./include.ts";
export type { CallOptions } from "./functions.ts";
export { callFn, listFns, streamFn } from "./functions.ts";
export type { PresencePeer } from "./presenceRoster.ts";
export type { RequestOptions } from "./request.ts";
export { request } from "./request.ts";
export type { Peer } from "./roomMembership.ts";
export type { SessionAutoRefreshOptions } from "./sessionRefresh.ts";
export { startSessionAutoRefresh } from "./sessionRefresh.ts";
export type { FreshSession } from "./sessions.ts";
export { createSession, getAuthContext, refreshSession } from "./sessions.ts";
export type { ShardConnection, ShardOptions } from "./shard.ts";
export { connectShard } from "./shard.ts";
export type {
  AgentDBSchema, Filter, OrderBy, TypedDb, TypedLiveQueryOptions, TypedQueryOptions, TypedSearchResult, TypedSearchSpec,
} from "./typedDb.ts";
export { createTypedDb } from "./typedDb.ts";
export { useAction } from "./useAction.ts";
export type { AggregateResult, AggregateSpec, Bucket } from "./useAggregate.ts";
export { useAggregate } from "./useAggregate.ts";
export type { ConnectionStatus } from "./useConnection.ts";
export { useConnection } from "./useConnection.ts";
export type { EntityMutation } from "./useEntityMutation.ts";
export { useDelete, useEntityMutation, useInsert, useUpdate } from "./useEntityMutation.ts";
export type { InfiniteQueryOptions, InfiniteQueryResult } from "./useInfiniteQuery.ts";
export { useInfiniteQuery } from "./useInfiniteQuery.ts";
export type { LiveQueryOptions, LiveQueryResult } from "./useLiveQuery.ts";
export { useLiveQuery } from "./useLiveQuery.ts";
export type { CallArguments, FnResult, MutationOptions, MutationResult } from "./useMutation.ts";
export { useFn, useMutation } from "./useMutation.ts";
export type { PaginatedQueryResult, PaginationStatus } from "./usePaginatedQuery.ts";
export { usePaginatedQuery } from "./usePaginatedQuery.ts";
export type { PresenceResult } from "./usePresence.ts";
export { usePresence } from "./usePresence.ts";
export type { QueryOptions, QueryResult } from "./useQuery.ts";
export { useQuery } from "./useQuery.ts";
export type { QueryOneResult } from "./useQueryOne.ts";
export { useQueryOne } from "./useQueryOne.ts";
export { useLiveList, useLiveRow, useQueryOneRaw, useQueryRaw } from "./useRawQuery.ts";
export type { RoomOptions, RoomResult } from "./useRoom.ts";
export { useRoom } from "./useRoom.ts";
export { useRoomEvents } from "./useRoomEvents.ts";
export type { FacetCounts, SearchResult, SearchSpec } from "./useSearch.ts";
export { useSearch } from "./useSearch.ts";
export type { SessionResult } from "./useSession.ts";
export { useSession } from "./useSession.ts";
export type { ShardResult } from "./useShard.ts";
export { useShard } from "./useShard.ts";
export { useSyncStatus } from "./useSyncStatus.ts";
export type { TopicMessage, TopicResult } from "./useTopic.ts";
export { useTopic } from "./useTopic.ts";
export type { FailedWrites, UnsentWrites } from "./useWrites.ts";
export { useFailedWrites, useUnsent } from "./useWrites.ts";
