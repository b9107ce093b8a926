// Options that `swarm api` and `swarm up` share: where the API listens, and how it is used.
import type { Command } from 'commander'
import type { BaseModelFlags } from '../generation.ts'
import { jsonOption, parseTcpPort, untilEofOption } from '../options/options.ts'

export interface GatewayFlags {
  host: string
  port: number
  chatTemplate?: string
  json?: boolean
  untilEof?: boolean
}

export type ApiFlags = GatewayFlags & BaseModelFlags

/** Adds --host, --port, --chat-template, --json and --until-eof. */
export function addGatewayOptions(command: Command): Command {
  return command
    .optionsGroup('API:')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1, this machine only)', '127.0.0.1')
    .option('-p, --port <port>', 'TCP port to listen on; 0: any free one', parseTcpPort, 8000)
    .option('--chat-template <file>', "Jinja template for all models (default: each model's own)")
    .addOption(untilEofOption())
    .addOption(jsonOption())
}
