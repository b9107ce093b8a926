// The peft section of a run's configuration: what the methods take, under PEFT's names as its files have them.
import { z } from 'zod'
import { camelCase, snakeCase } from '../../../common/names.ts'
import { type PeftConfig, peftSchemas } from '../../tuning/index.ts'

type Shape = z.ZodObject['shape']

/** What is known only when the run is: AdaLoRA's length is that of the training; its pattern is of a saved adapter. */
function ofRun(shape: Shape): Shape {
  const { rankPattern, totalStep, ...rest } = shape
  return totalStep === undefined ? shape : { ...rest, totalStep: z.optional(totalStep) }
}

const sections = peftSchemas.map(({ shape }) => {
  const named = Object.entries(ofRun(shape)).map(([name, type]) => [snakeCase(name), type] as const)
  return z.strictObject({ peft_type: z.string(), ...Object.fromEntries(named) })
})

/** One method's section, told by `peft_type`. */
export const peftSection = z.discriminatedUnion('peft_type', sections as unknown as [(typeof sections)[number]])

/** Names that any method knows. */
export const peftKeys = [...new Set(sections.flatMap(({ shape }) => Object.keys(shape)))]

/** Names that the method of a section knows; undefined where there is no such method. */
export function peftKeysOf(peftType: unknown): ReadonlySet<string> | undefined {
  const found = sections.find(({ shape }) => shape.peft_type.safeParse(peftType).success)
  return found && new Set(Object.keys(found.shape))
}

/** The section as `getPeftModel` takes it. */
export function toPeftConfig(section: Readonly<Record<string, unknown>>, totalSteps: number): PeftConfig {
  const config = Object.fromEntries(Object.entries(section).map(([name, value]) => [camelCase(name), value]))
  if (config.peftType === 'ADALORA') config.totalStep ??= totalSteps
  return config as unknown as PeftConfig
}
