// Loaded before the tests (node --import): keeps node:test from following every promise. It does so to tell which test an error
// without an owner belongs to, by hooks that see each promise begin and be collected; libp2p makes many, and half of the time of
// tests with a swarm went there (failover.test.ts: 27.7 s of CPU, 20.5 without). Such an error is now reported for its file, which
// fails as before. Where Node's insides change, this does nothing.
import hooks, { type HookCallbacks } from 'node:async_hooks'

const { createHook } = hooks

hooks.createHook = (callbacks: HookCallbacks) => {
  if (!new Error().stack?.includes('node:internal/test_runner')) return createHook(callbacks)
  hooks.createHook = createHook
  const { init } = callbacks
  return createHook({
    trackPromises: false,
    // tests and suites alone: a test that is declared inside a suite finds it by this
    init: (id, type, trigger, resource) => void (type === 'Test' && init?.(id, type, trigger, resource))
  } as HookCallbacks)
}
