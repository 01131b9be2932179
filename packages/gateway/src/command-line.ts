export { type CommandLineOptions, runCommandLine } from './command/run-command-line.ts'
