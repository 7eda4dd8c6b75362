/** The entry of the SDK: what an application uses. Everything behind it may change. */
export { connect, type ConnectOptions } from './connect.js';
export { SdkError, SDK_ERRORS, type SdkErrorKind } from './errors.js';
export { sourceOfBlob, sourceOfBytes, sourceOfStream, type Source } from './source.js';
export type * from './drive-api.js';
export type { Progress } from './progress.js';
export type { StateStore } from './state-store.js';
