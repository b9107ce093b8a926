// The process of the swarm command: runs one command line, sets the exit status.

import { runProgram } from './program.ts'
import { installLastResort } from './terminal/last-resort.ts'

installLastResort()
process.exitCode = (await runProgram(process.argv.slice(2))) ?? process.exitCode
