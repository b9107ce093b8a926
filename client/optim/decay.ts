// Which parameters weight decay acts on, as Hugging Face's Trainer decides it (transformers/trainer.py,
// get_decay_parameter_names): all but biases and the scales of norms. Pure.

/** The patterns of Trainer, over whole names in lower case. */
const exempt = /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/

/** Trainer also exempts every nn.LayerNorm, whatever its name: the last norm of GPT-2, BLOOM and Falcon. */
const layerNorm = /(?:^|\.)ln_f(?:$|\.)/

/** Whether weight decay acts on the parameter of this name. */
export function isDecayed(name: string): boolean {
  const lower = name.toLowerCase()
  return !exempt.test(lower) && !layerNorm.test(lower)
}
