export { mqtt, transportFromUrls } from './mqtt.ts'
export type { MqttOptions, MqttTlsOptions } from './options.ts'
