// All routes of the console, in one list.
import type { Routes } from '../http/api.ts'
import { operatorRoutes } from './operator-routes.ts'
import { pageRoutes } from './page-routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { swarmRoutes } from './swarm-routes.ts'

const routes: readonly Routes[] = [pageRoutes, sessionRoutes, swarmRoutes, operatorRoutes]

export const consoleRoutes: Routes = (api, context) => {
  for (const add of routes) add(api, context)
}
