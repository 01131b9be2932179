export { runOutside } from '../base/async-context.ts'
export type { Environment } from '../base/environment.ts'
export { type JoinChange, type JoinEvents, Joins, keepJoins } from '../connection/joins.ts'
export { type ConfirmedBarrier, LinkRate } from '../connection/link-rate.ts'
export { invalid as invalidOptions } from '../errors/errors.ts'
export {
  type DecodedFrame,
  decodeFrame,
  type FrameEntry,
  isRemoval,
  lastSid,
  MAX_INCOMING_BYTES,
  type Removal,
} from '../message/frame.ts'
export type { Sid } from '../message/sid.ts'
export { hubNameOf, readTopic, streamNameOf } from '../message/topic.ts'
export { LeakyBucket } from '../state/leaky-bucket.ts'
export {
  choiceForm,
  type FormOf,
  flagForm,
  functionForm,
  numberForm,
  patternForm,
  textForm,
  wholeNumberForm,
} from '../state/option-forms.ts'
export { DEFAULT_TIMEOUTS, dialShareMs, type Timeouts, timeoutsOf } from '../state/timeouts.ts'
export {
  type DialFailure,
  dialInTurn,
  inRandomOrder,
  isCertificateRefusal,
  type RefusalKind,
  refusalOfAll,
} from './dial.ts'
export { Ending } from './ending.ts'
export { type Adapter, makeTransport, type TransportConnection } from './make-transport.ts'
export {
  checkOptions,
  filledForm,
  objectForm,
  orFunction,
  pemForm,
  type Rule,
  type Rules,
  textsForm,
  tlsForm,
  visible,
} from './options.ts'
export {
  type DialTime,
  type Given,
  given,
  Refusals,
  type Resolved,
} from './secrets.ts'
export {
  isTlsOn,
  oneForAll,
  type ParsedUrl,
  parameterName,
  parseServers,
  parseServerUrl,
  type ServerAddress,
  type ServerKind,
  type ServerUrl,
  type UrlKind,
} from './servers.ts'
export { type ResettableSocket, resetAtEnd } from './socket.ts'
