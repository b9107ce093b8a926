// The architecture as a table: which folder may import which, and within a folder which room may import which.

/** folder -> folders it may import */
export const folders: Readonly<Record<string, readonly string[]>> = {
  common: [],
  proto: ['common'],
  graph: ['proto', 'common'],
  runtime: ['graph', 'common'],
  model: ['graph', 'common'],
  network: ['proto', 'common'],
  server: ['model', 'runtime', 'graph', 'network', 'proto', 'common'],
  client: ['model', 'runtime', 'graph', 'network', 'proto', 'common'],
  gateway: ['client', 'common'],
  cli: ['gateway', 'client', 'server', 'model', 'runtime', 'graph', 'network', 'proto', 'common'],
  // it starts peers as the program does
  testing: ['cli', 'gateway', 'client', 'server', 'model', 'runtime', 'graph', 'network', 'proto', 'common'],
  examples: ['client'],
  bench: ['testing', 'gateway', 'cli', 'client', 'server', 'model', 'runtime', 'graph', 'network', 'proto', 'common'],
  scripts: ['testing', 'gateway', 'cli', 'client', 'server', 'model', 'runtime', 'graph', 'network', 'proto', 'common'],
  test: [
    ...[
      'scripts',
      'bench',
      'examples',
      'testing',
      'cli',
      'gateway',
      'client',
      'server',
      'model',
      'runtime',
      'graph',
      'network'
    ],
    ...['proto', 'common']
  ]
}

/**
 * The rooms of a folder, lowest first: subfolders, and files that are a room of their own. A room may import those before it, types
 * included. Files that no room names are above all rooms.
 */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  model: [
    ...[
      'json.ts',
      'sentence-files.ts',
      'config',
      'quantize',
      'family.ts',
      'formats',
      'text',
      'layers',
      'spans',
      'families'
    ],
    ...['partial', 'hub', 'peers', 'checkpoint', 'weights']
  ],
  'model/text/jinja': ['errors.ts', 'budget.ts', 'python', 'syntax'],
  network: [
    ...['constants.ts', 'guards', 'addresses.ts', 'state/dial-failure.ts', 'streams', 'private', 'discovery', 'state'],
    ...['network.ts', 'libp2p']
  ],
  server: [
    ...[
      'limits.ts',
      'observe',
      'schedule',
      'memory/kv',
      'memory',
      'compute',
      'memory/stores.ts',
      'requests',
      'sessions'
    ],
    ...['placement', 'init.ts', 'context.ts', 'handlers']
  ],
  client: [
    ...[
      'platform',
      'local',
      'optim',
      'tuning',
      'heads',
      'generate',
      'remote',
      'audit',
      'train',
      'join.ts',
      'from-peers.ts',
      'models/model-parts.ts',
      'pretrained.ts'
    ],
    ...['models', 'peft.ts', 'export']
  ],
  'client/remote': [
    ...['routing', 'passes/retry.ts', 'passes/codecs.ts', 'passes/finite.ts', 'passes/encoder-states.ts'],
    ...['passes/span-request.ts', 'passes/hedge.ts'],
    ...['passes/punctuality.ts', 'audited.ts', 'peers', 'passes', 'session']
  ],
  gateway: [
    ...['errors.ts', 'storage', 'models', 'completion', 'grammar', 'chat', 'jobs', 'swarm', 'http'],
    ...['openai', 'anthropic', 'ollama', 'console', 'app.ts', 'server.ts', 'ai-sdk']
  ],
  cli: [
    ...[
      'errors',
      'terminal',
      'options/completion.ts',
      'options/options.ts',
      'peer',
      'options',
      'views',
      'train',
      'chat',
      'generation.ts',
      'gateway',
      'doctor'
    ],
    ...['versions.ts', 'commands']
  ]
}

/** packages that exactly one folder may import */
export const owned: readonly { readonly pattern: RegExp; readonly folder: string }[] = [
  { pattern: /^onnxruntime/, folder: 'runtime' },
  { pattern: /^(libp2p|@libp2p\/|@chainsafe\/|@multiformats\/)/, folder: 'network' },
  { pattern: /^commander$/, folder: 'cli' },
  { pattern: /^(hono|@hono\/)/, folder: 'gateway' }
]
