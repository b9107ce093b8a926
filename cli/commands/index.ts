// Every command of `swarm`, in the order that --help lists them.
import type { Command } from 'commander'
import { apiCommand } from './api.ts'
import { bootstrapCommand } from './bootstrap.ts'
import { chatCommand } from './chat.ts'
import { completionCommand } from './completion.ts'
import { demoCommand } from './demo.ts'
import { doctorCommand } from './doctor.ts'
import { evalCommand } from './eval.ts'
import { exportCommand } from './export.ts'
import { generateCommand } from './generate.ts'
import { idCommand } from './id.ts'
import { initCommand } from './init.ts'
import { plotCommand } from './plot.ts'
import { predictCommand } from './predict.ts'
import { serveCommand } from './serve.ts'
import { statusCommand } from './status.ts'
import { trainCommand } from './train.ts'
import { upCommand } from './up.ts'

export const commands: readonly (() => Command)[] = [
  upCommand,
  initCommand,
  serveCommand,
  bootstrapCommand,
  statusCommand,
  idCommand,
  generateCommand,
  chatCommand,
  predictCommand,
  apiCommand,
  trainCommand,
  evalCommand,
  exportCommand,
  plotCommand,
  doctorCommand,
  demoCommand,
  completionCommand
]
