export { type ContractOptions, testTransport } from './contract.ts'
export type { ContractBackend } from './contract-backend.ts'
export { createHubIn } from './hub-in.ts'
export { type RecordedFrame, RecordingHost, type RecordingHostOptions } from './recording-host.ts'
