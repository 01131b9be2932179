export { transportFromUrls } from './from-urls.ts'
export { mqtt } from './mqtt.ts'
export type { MqttOptions, MqttTlsOptions } from './options.ts'
