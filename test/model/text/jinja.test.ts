// Our Jinja against jinja2 in transformers' sandbox: several hundred snippets, those that jinja2 refuses too; and the bounds of a rendering.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toVariables } from '../../../model/text/chat-values.ts'
import { parseJson } from '../../../model/text/exact-json.ts'
import { defaultLimits, type Limits } from '../../../model/text/jinja/budget.ts'
import { JinjaError } from '../../../model/text/jinja/errors.ts'
import { Template } from '../../../model/text/jinja/template.ts'
import { referenceNow, templateReference } from './template-reference.ts'

/** What jinja2 does and we name as not supported: text in bytes, random or unstable output, files, complex numbers. */
const notSupported = new Set([
  "{{ '\\N{BULLET}' }}",
  "{{ 'a'.encode() }}",
  "{{ 'é'.encode('utf-8') }}",
  "{{ 'a'.translate({97: 'b'}) }}",
  '{% autoescape false %}{{ html }}{% endautoescape %}',
  '{% autoescape true %}{{ html }}{% endautoescape %}',
  '{{ self }}',
  '{{ self.x }}',
  '{{ (-8) ** 0.5 }}'
])

const { context, snippets } = await templateReference()

function render(source: string, limits?: Limits): string {
  const variables = toVariables(parseJson(context) as Record<string, unknown>)
  return new Template(source).render(variables, { now: referenceNow, ...(limits === undefined ? {} : { limits }) })
}

function errorOf(run: () => unknown): JinjaError {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof JinjaError, String(error instanceof Error ? error.stack : error))
    return error
  }
  assert.fail('expected an error')
}

describe('Jinja', () => {
  test('is written as jinja2 writes it', () => {
    const accepted = snippets.filter(([source, result]) => typeof result === 'string' && !notSupported.has(source))
    assert.ok(accepted.length >= 240, `${accepted.length}`)
    for (const [source, result] of accepted) assert.equal(render(source), result, source)
  })

  test('is refused where jinja2 refuses it, for the same reason', () => {
    const refused = snippets.filter(([, result]) => typeof result !== 'string' && result.error !== undefined)
    assert.ok(refused.length >= 190, `${refused.length}`)
    for (const [source, result] of refused) {
      assert.ok(typeof result !== 'string')
      const { kind, type } = errorOf(() => render(source))
      if (kind === 'failed') assert.equal(type, result.error, source)
      // what jinja2 tells while it reads or at a look-up of names, we tell by kind
      else if (kind === 'raised') assert.equal(result.error, 'TemplateError', source)
      else assert.match(result.error!, /^Template|SyntaxError|TypeError|UndefinedError/, `${source}: ${kind}`)
    }
  })

  test('that prints addresses of memory, or is not supported, is an error that names it and its line', () => {
    const unstable = snippets.filter(([, result]) => typeof result !== 'string' && result.unstable === true)
    assert.ok(unstable.length >= 4, `${unstable.length}`)
    for (const source of [...unstable.map(([source]) => source), ...notSupported]) {
      const { kind, line } = errorOf(() => render(`\n${source}`))
      assert.deepEqual([kind, line], ['unsupported', 2], source)
    }
  })

  test('tells the line where it fails', () => {
    assert.equal(errorOf(() => render("a\n\n{% if true %}\n{{ 'x' + 1 }}{% endif %}\n")).line, 4)
    assert.equal(errorOf(() => render('a\n{% for x in %}')).line, 2)
    assert.equal(errorOf(() => render("{% macro m() %}\n{{ 'a' + 1 }}\n{% endmacro %}\n\n{{ m() }}")).line, 2)
    assert.equal(errorOf(() => render('\n{% include "x" %}')).line, 2)
    assert.equal(errorOf(() => render("\n\n{{ 'a'|nofilter }}")).line, 3)
  })
})

describe('a template that exhausts the machine is stopped:', () => {
  const programs: Record<string, [string, RegExp]> = {
    'three loops of 1000': [
      '{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}',
      /more than .* steps/
    ],
    'a text that doubles': [
      "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      /text of more than/
    ],
    'a text that is repeated': ["{{ 'x' * 10 ** 12 }}", /text of more than/],
    'a list that is repeated': ['{{ [1] * 10 ** 12 }}', /more than .* steps/],
    'a list that doubles': [
      '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}',
      /more than .* steps/
    ],
    'lists that share their elements': [
      '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}',
      /more than .* steps|text of more than/
    ],
    'their comparison': [
      '{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}',
      /more than .* steps/
    ],
    'output without end': [
      "{% for a in range(100000) %}{% for b in range(1000) %}{{ 'x' * 100 }}{% endfor %}{% endfor %}",
      /more than/
    ],
    'padding to a width': ["{{ '%1000000000d' % 1 }}", /text of more than/],
    'padding by a format': ["{{ '{:>1000000000}'.format(1) }}", /text of more than/],
    'a filter that pads': ["{{ 'x'|center(10 ** 10) }}", /text of more than/],
    'an indent': ["{{ 'x'|indent(10 ** 10, true) }}", /text of more than/],
    'an indent of JSON': ['{{ [1]|tojson(indent=10 ** 10) }}', /text of more than/],
    'a batch that is filled up': ['{{ [1]|batch(10 ** 10, 0)|list }}', /more than .* steps/],
    'a replacement of everything': ["{{ ('x' * 10000)|replace('x', 'y' * 100000) }}", /text of more than/],
    'a join': ["{{ (['x' * 100000] * 10000)|join }}", /text of more than|steps/],
    tabs: ["{{ ('\\t' * 1000).expandtabs(10 ** 7) }}", /text of more than|steps/],
    'a macro that calls itself': ['{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', /deeper than/],
    'a loop that calls itself': ['{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}', /deeper than/],
    'a namespace in itself': ['{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}', /deeper than/],
    'brackets in brackets': [`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`, /deeper than/],
    'lists in lists': [`{{ ${'['.repeat(5000)}${']'.repeat(5000)} }}`, /deeper than/],
    'blocks in blocks': [`${'{% if true %}'.repeat(5000)}${'{% endif %}'.repeat(5000)}`, /deeper than/],
    'a long sum': [`{{ 1${' + 1'.repeat(50_000)} }}`, /deeper than/],
    'a long chain of attributes': [`{{ x${'.a'.repeat(50_000)} }}`, /deeper than/],
    'a chain of filters': [`{{ 'x'${'|upper'.repeat(50_000)} }}`, /deeper than/],
    'many signs': [`{{ ${'-'.repeat(5000)}1 }}`, /deeper than/],
    'many negations': [`{{ ${'not '.repeat(5000)}1 }}`, /deeper than/]
  }
  // a part of the work that is allowed, so that the test is quick
  const limits = { ...defaultLimits, work: defaultLimits.work / 40 }
  for (const [name, [source, message]] of Object.entries(programs)) {
    test(name, () => {
      const before = process.memoryUsage().rss
      const { kind, message: found } = errorOf(() => render(source, limits))
      assert.equal(kind, 'limit', found)
      assert.match(found, message)
      assert.ok(process.memoryUsage().rss - before < 300 * 2 ** 20, 'memory')
    })
  }

  test('names that are not closed in a format', () => {
    assert.equal(errorOf(() => render("{{ ('%(' * 1000000) % {} }}")).kind, 'limit')
  })

  test('no text that is only long: decimals and white space without end', () => {
    const start = performance.now()
    assert.equal(render("{{ '%.1200f' % 0.1 == '%.1100f' % 0.1 ~ '0' * 100 }}"), 'True')
    assert.equal(
      render("{{ ('%.5000000f' % 1)|length }} {{ ('%.5000000e' % 1)|length }} {{ '%.5000000g' % 0.5 }}"),
      '5000002 5000006 0.5'
    )
    assert.equal(
      render(`${' '.repeat(500_000)}x{%- if true %}{% endif %}${' '.repeat(500_000)}y{{- 1 }}`).length,
      1_000_003
    )
    assert.equal(render("{{ ('1' * 4000 ~ 'x')|float }}"), '0.0')
    assert.ok(performance.now() - start < 10_000, 'took quadratic time')
  })

  test('searches for a long text take time that grows with the lengths alone', () => {
    const start = performance.now()
    const part = "{% set text = 'a' * 500000 %}{% set half = 'a' * 200000 %}"
    const searches =
      "text.find(half ~ 'b' ~ half), text.rfind(half ~ 'b'), text.count(half ~ 'b' ~ half), (half ~ 'b' ~ half) in text"
    const cuts =
      "text.split(half ~ 'b' ~ half)|length, text.rsplit(half ~ 'b', 3)|length, text.rpartition(half ~ 'b')[0], text.replace(half ~ 'b' ~ half, '') == text"
    assert.equal(render(`${part}{{ [${searches}, ${cuts}] }}`), "[-1, -1, 0, False, 1, 1, '', True]")
    assert.ok(performance.now() - start < 10_000, 'took quadratic time')
  })

  test('ints of many digits and long ranges, as jinja2 stops them', () => {
    for (const source of ['{{ 10 ** 10000000 }}', '{{ 2 ** 20000 }}', '{{ range(10**9)|list }}']) {
      const error = errorOf(() => render(source))
      assert.ok(
        ['ValueError', 'OverflowError', 'TypeError'].includes(String(error.type)),
        `${source}: ${error.message}`
      )
    }
  })

  test('after its time, however few its steps', () => {
    const loop =
      '{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}'
    const { kind, message } = errorOf(() => render(loop, { ...defaultLimits, work: 1e12, timeoutMs: 50 }))
    assert.equal(kind, 'limit')
    assert.match(message, /longer than 50 ms/)
  })
})
