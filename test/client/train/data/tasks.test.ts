// Data of the tasks beside language modelling, as examples: which fields are read, what is learned, what is said of mistakes. Tokens are letters here.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { countLabels } from '../../../../client/train/collate.ts'
import {
  collate,
  type DataContext,
  type DataSources,
  type Example,
  loadTrainingData,
  previewExample,
  type TrainingData
} from '../../../../client/train/index.ts'
import { temporaryFolder } from '../../../../testing/references.ts'

const [bos, eos, separator] = [1, 2, 3]

/** One token per letter; a text ends with one special token, a pair has one between. */
const tokenizer: DataContext['tokenizer'] = {
  encode(text, { addSpecialTokens = true, places } = {}) {
    const letters = [...text]
    if (places) for (const index of letters.keys()) places.push({ start: index, end: index + 1 })
    const ids = letters.map(letter => letter.codePointAt(0)!)
    return addSpecialTokens ? [bos, ...ids, eos] : ids
  },
  joinPair: (first, second) => ({
    ids: [bos, ...first, separator, ...second, eos],
    typeIds: [0, ...first.map(() => 0), 0, ...second.map(() => 1), 1],
    starts: [1, first.length + 2]
  }),
  chatTemplate: null
}

const context: DataContext = { tokenizer, maxPositions: 100 }

const decode = (ids: readonly number[]): string =>
  String.fromCodePoint(...ids.map(id => ('^$|'.codePointAt(id - 1) && id < 4 ? '^$|'.codePointAt(id - 1)! : id)))

async function load(
  t: TestContext,
  content: string | readonly object[],
  more: Partial<DataContext> & { name?: string; sources?: Partial<DataSources> } = {}
): Promise<TrainingData> {
  const { name = 'a.jsonl', sources, ...rest } = more
  const path = join(await temporaryFolder(t), name)
  await writeFile(path, typeof content === 'string' ? content : content.map(row => JSON.stringify(row)).join('\n'))
  return await loadTrainingData({ train: path, ...sources }, { ...context, ...rest })
}

const shown = (examples: readonly Example[]): string[] => examples.map(({ ids }) => decode(ids))

suite('pairs of texts with labels', () => {
  test('are one sequence with token types', async t => {
    const { train, task, labels } = await load(t, [
      { premise: 'ab', hypothesis: 'c', label: 'yes' },
      { premise: 'd', hypothesis: 'e', label: 'no' }
    ])
    assert.equal(task, 'SEQ_CLS')
    assert.deepEqual(labels, ['no', 'yes'])
    assert.deepEqual(shown(train), ['^ab|c$', '^d|e$'])
    assert.deepEqual(train[0]!.typeIds, [0, 0, 0, 0, 1, 1])
    const batch = collate(train, 0)
    assert.deepEqual([...batch.tokenTypeIds!.data], [0n, 0n, 0n, 0n, 1n, 1n, 0n, 0n, 0n, 1n, 1n, 0n])
  })

  test('lose the longer end first, and have no types for a model without', async t => {
    const rows = [
      { sentence1: 'abcdef', sentence2: 'gh', label: 0 },
      { sentence1: 'i', sentence2: 'j', label: 1 }
    ]
    const cut = { maxSeqLength: 7, truncate: true, tokenTypes: 1 }
    const { train } = await load(t, rows, cut)
    assert.deepEqual(shown(train), ['^ab|gh$', '^i|j$'])
    assert.equal(train[0]!.typeIds, undefined)
    await assert.rejects(load(t, rows, { maxSeqLength: 7 }), /a\.jsonl:1: expected at most 7 tokens.*found 11/)
  })
})

suite('labels of texts', () => {
  test('are flags of any number of classes where they are lists', async t => {
    const found = await load(t, [
      { text: 'a', labels: ['sea', 'novel'] },
      { sentence: 'b', labels: [] },
      { text: 'c', labels: ['law'] }
    ])
    assert.equal(found.problemType, 'multi_label_classification')
    assert.deepEqual(found.labels, ['law', 'novel', 'sea'])
    assert.deepEqual([...collate(found.train, 0).numbers!.data], [0, 1, 1, 0, 0, 0, 1, 0, 0])
    assert.equal(countLabels(found.train), 9)
    const options = { task: found.task, labels: found.labels }
    assert.equal(previewExample(found.train[0]!, { decode }, options), '^a$/novel+sea')
  })

  test('are measured values where one is no whole number, in tables too', async t => {
    const { problemType, labels, train } = await load(t, 'text,label\na,1\nb,2.5\nc,-3\n', { name: 'a.csv' })
    assert.equal(problemType, 'regression')
    assert.equal(labels, undefined)
    assert.deepEqual([...collate(train, 0).numbers!.data], [1, 2.5, -3])
  })

  test('of whole numbers are classes, unless told', async t => {
    const rows = [3, 4].map(label => ({ text: 'a', label }))
    assert.deepEqual((await load(t, rows)).labels, ['3', '4'])
    const told = await load(t, rows, { problemType: 'regression' })
    assert.deepEqual(
      told.train.map(({ labels }) => labels),
      [[3], [4]]
    )
  })

  test('are refused where they are a row of 0 and 1, or several where one is expected', async t => {
    const rows = [{ text: 'a', labels: [0, 1, 0] }]
    await assert.rejects(load(t, rows), /a\.jsonl:1: expected "labels" to be the list of labels.*no row of 0 and 1/)
    const lists = [
      { text: 'a', labels: ['b', 'c'] },
      { text: 'a', labels: ['b'] }
    ]
    await assert.rejects(
      load(t, lists, { problemType: 'single_label_classification' }),
      /a\.jsonl:1: expected one label, found 2/
    )
  })

  test('end the text where it is cut, not its special token', async t => {
    const rows = ['abcdef', 'g'].map((text, label) => ({ text, label }))
    const { train } = await load(t, rows, { maxSeqLength: 5, truncate: true })
    assert.deepEqual(shown(train), ['^abc$', '^g$'])
  })
})

suite('sources and targets', () => {
  const rows: readonly (readonly [string, object, object?])[] = [
    ['source and target', { source: 'ab', target: 'c' }],
    ['a document and its summary', { document: 'ab', summary: 'c' }],
    ['a translation', { translation: { en: 'ab', de: 'c' } }],
    [
      'a prompt and its completion, where the task is told',
      { prompt: 'ab', completion: 'c' },
      { task: 'SEQ_2_SEQ_LM' }
    ],
    ['input and output, where the task is told', { input: 'ab', output: 'c' }, { task: 'SEQ_2_SEQ_LM' }]
  ]
  for (const [name, row, more] of rows) {
    test(`may be ${name}`, async t => {
      const { task, train } = await load(t, [row], more)
      assert.equal(task, 'SEQ_2_SEQ_LM')
      assert.deepEqual([shown(train), decode(train[0]!.labels)], [['^ab$'], '^c$'])
      assert.equal(previewExample(train[0]!, { decode }, { task }), '⟦^ab$⟧ ^c$')
    })
  }

  test('have a prefix, and a longest length each', async t => {
    const limits = { sourcePrefix: 'to: ', maxTargetLength: 4, truncate: true, maxSeqLength: 8 }
    const { train } = await load(t, [{ source: 'abcd', target: 'efgh' }], limits)
    assert.deepEqual([shown(train), decode(train[0]!.labels)], [['^to: ab$'], '^ef$'])
    await assert.rejects(
      load(t, [{ source: 'a', target: 'efgh' }], { maxTargetLength: 4 }),
      /a\.jsonl:1: target: expected at most 4 tokens \(max_target_length\), found 6/
    )
  })

  test('are not for a model that only goes on with texts', async t => {
    await assert.rejects(
      load(t, [{ source: 'a', target: 'b' }], { task: 'CAUSAL_LM' }),
      /found source-target, which is for SEQ_2_SEQ_LM \(rename source and target to prompt and completion\)/
    )
  })
})

suite('words in columns', () => {
  const file =
    '-DOCSTART- -X- O O\n\nEU NNP B I-ORG\nrejects VBZ O O\n\nPeter NNP B I-PER\nBlackburn NNP I I-PER\nParis NNP B B-PER\n'

  test('are sentences with tags of IOB2, in .conll and in .txt', async t => {
    for (const name of ['a.conll', 'a.txt']) {
      const { task, train, labels } = await load(t, file, { name })
      assert.equal(task, 'TOKEN_CLS')
      assert.deepEqual(labels, ['B-ORG', 'B-PER', 'I-PER', 'O'])
      const tags = train.map(example => example.labels.filter(label => label !== -100).map(label => labels![label]))
      assert.deepEqual(tags, [
        ['B-ORG', 'O'],
        ['B-PER', 'I-PER', 'B-PER']
      ])
    }
  })

  test('name the line of a mistake', async t => {
    await assert.rejects(load(t, 'a O\nb\n', { name: 'a.conll' }), /a\.conll:2: expected 2 columns.*found "b"/)
    await assert.rejects(load(t, 'a\n', { name: 'a.iob2' }), /a\.iob2:1: expected a word and its tag in columns/)
  })

  test('of schemes that mark ends stay as they are', async t => {
    const { labels } = await load(t, 'a\tI-X\nb\tE-X\nc\tO\n', { name: 'a.bio' })
    assert.deepEqual(labels, ['E-X', 'I-X', 'O'])
  })
})

suite('questions', () => {
  const text = 'abcdefghij'
  const answers = { text: ['fg'], answer_start: [5] }

  test('are read from rows, with the place of the answer', async t => {
    const rows = [{ id: 'q', question: 'xy', context: text, answers }]
    const { task, train } = await load(t, rows)
    assert.equal(task, 'QUESTION_ANS')
    const [{ ids, labels, question }] = train as [Example]
    assert.equal(decode(ids.slice(labels[0], labels[1]! + 1)), 'fg')
    assert.deepEqual(question!.places[labels[0]!], { start: 5, end: 6 })
    assert.deepEqual([question!.id, question!.answers], ['q', ['fg']])
    assert.equal(previewExample(train[0]!, { decode }, { task }), '⟦^xy|abcde⟧fg⟦hij$⟧')
  })

  test('have overlapping pieces where the context is long, of which some have no answer', async t => {
    const rows = [{ question: 'xy', context: text, answers }]
    const { train } = await load(t, rows, { maxSeqLength: 10, docStride: 2 })
    assert.deepEqual(shown(train), ['^xy|abcde$', '^xy|defgh$', '^xy|ghij$'])
    assert.deepEqual(
      train.map(({ labels }) => labels),
      [
        [0, 0],
        [6, 7],
        [0, 0]
      ]
    )
    assert.equal(previewExample(train[0]!, { decode }, { task: 'QUESTION_ANS' }), '⟦^xy|abcde$⟧/no answer')
    await assert.rejects(load(t, rows, { maxSeqLength: 6, docStride: 2 }), /a\.jsonl:1: the question leaves no room/)
  })

  test("come from SQuAD's nested files, unanswerable ones and places after an emoji too", async t => {
    const qas = [
      { id: '1', question: 'x', answers: [{ text: 'cd', answer_start: 3 }] },
      { id: '2', question: 'y', is_impossible: true, answers: [], plausible_answers: [{ text: 'b', answer_start: 1 }] }
    ]
    const squad = { version: 'v2.0', data: [{ title: 't', paragraphs: [{ context: '😀abcd', qas }] }] }
    const { train } = await load(t, JSON.stringify(squad), { name: 'a.json' })
    assert.deepEqual(
      train.map(({ question }) => question!.answers),
      [['cd'], []]
    )
    assert.deepEqual(train[1]!.labels, [0, 0])
    const broken = { data: [{ paragraphs: [{ context: 'a', qas: [{ question: 1 }] }] }] }
    await assert.rejects(
      load(t, JSON.stringify(broken), { name: 'a.json' }),
      /a\.json: data\[0\]\.paragraphs\[0\]\.qas\[0\]: expected a "question"/
    )
  })

  test('whose answer is elsewhere are refused', async t => {
    const rows = [{ question: 'x', context: text, answers: { text: ['fg'], answer_start: [4] } }]
    await assert.rejects(
      load(t, rows),
      /a\.jsonl:1: the answer "fg" is not at character 4 of the context, which has "ef"/
    )
  })

  test('stay together where a share of them is kept', async t => {
    const rows = [0, 1, 2, 3].map(id => ({ id: `${id}`, question: 'x', context: text, answers }))
    const { train, validation } = await load(t, rows, {
      maxSeqLength: 10,
      docStride: 2,
      sources: { validationSplit: 0.25 }
    })
    const idsOf = (side: readonly Example[]) => new Set(side.map(({ question }) => question!.id))
    assert.deepEqual([idsOf(train).size, idsOf(validation).size], [3, 1])
    assert.ok([...idsOf(validation)].every(id => !idsOf(train).has(id)))
  })
})

suite('texts that are compared', () => {
  test('are anchors with positives and negatives, row by row in a batch', async t => {
    const found = await load(t, [
      { anchor: 'a', positive: 'bc', negative: 'd' },
      { query: 'e', positive: 'f', negative: 'gh' }
    ])
    assert.deepEqual([found.task, found.similarityLoss], ['FEATURE_EXTRACTION', 'multiple_negatives'])
    const batch = collate(found.train, 0)
    assert.deepEqual(batch.inputIds.shape, [6, 4])
    assert.deepEqual(batch.numbers!.shape, [2, 1])
    const first = [...batch.inputIds.data].filter((_, at) => at % 4 === 1).map(id => String.fromCodePoint(Number(id)))
    assert.deepEqual(first.join(''), 'aebfdg')
  })

  test('have a cosine as score, also under the name of a label where the task is told', async t => {
    const { similarityLoss, train } = await load(t, [{ sentence1: 'a', sentence2: 'b', score: 0.5 }])
    assert.deepEqual([similarityLoss, train[0]!.labels], ['cosine', [0.5]])
    const labelled = [{ sentence1: 'a', sentence2: 'b', label: 0.25 }]
    assert.deepEqual((await load(t, labelled, { task: 'FEATURE_EXTRACTION' })).train[0]!.labels, [0.25])
    await assert.rejects(
      load(t, [{ sentence1: 'a', sentence2: 'b', score: 4 }]),
      /a\.jsonl:1: expected "score" to be a number from -1 to 1.*found 4/
    )
  })
})
