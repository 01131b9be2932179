export { type MessageRecord, readRecord, writeRecord } from '@rivulet/replay'
