// Examples by the name of their old place.
export { type Example, ignoredLabel } from './data/example.ts'
