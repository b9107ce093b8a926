// For the operator: keys, requests, usage, logs.
import type { JSX } from 'preact'
import { Notice } from '../parts/controls.tsx'
import { session } from '../session.ts'
import { useStore } from '../store.ts'
import { Keys } from './keys.tsx'
import { Logs } from './logs.tsx'
import { Requests } from './requests.tsx'

export function OperatorPage(): JSX.Element {
  const { isOperator, version } = useStore(session)!
  return (
    <div class="pad stack">
      <div class="row spread wrap">
        <h1>Operator</h1>
        <span class="muted small">swarmtune {version}</span>
      </div>
      {isOperator ? (
        <>
          <Requests />
          <Keys />
          <Logs />
        </>
      ) : (
        <Notice>
          <p>This page needs a key of an operator.</p>
          <p>
            Make one on the gateway’s machine: <code>swarm api keys create NAME --operator</code>.
          </p>
        </Notice>
      )}
    </div>
  )
}
