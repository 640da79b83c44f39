// Draws what was saved, as SVG.
import { writeFileSync } from 'node:fs'
import { nameOf, OURS } from '../competitors.js'
import { load } from '../peers/index.js'
import { folder, saved } from './save.js'

const OUR_COLOUR = '#d9480f'
const OTHERS = '#868e96'
/** Legible on white as well as on black. */
const TEXT = '#6c757d'

const isOurs = (/** @type {any} */ { system }) => system === OURS
const colour = {
  condition: { test: 'datum.ours', value: OUR_COLOUR },
  value: OTHERS,
}

export async function drawCharts() {
  const results = Object.fromEntries(saved().map(({ name, ...rest }) => [name, rest]))
  for (const [name, { from, draw }] of Object.entries(charts)) {
    if (!results[from]) continue
    const { machine, result } = results[from]
    const { cpu, cores, node, date } = machine
    const caption = `${cpu}, ${cores} cores, ${machine.system}, Node.js ${node.slice(1)}, ${date}`
    writeFileSync(new URL(`${name}.svg`, folder), await svg(draw(result), caption))
  }
}

/**
 * @param {Record<string, any>} specification of Vega-Lite
 * @param {string} caption
 */
async function svg({ title, ...specification }, caption) {
  const { parse, View } = await load('vega')
  const { compile } = await load('vega-lite')
  const { spec } = compile({
    background: null,
    padding: 12,
    title: { text: title, subtitle: caption, anchor: 'start', offset: 12 },
    config: {
      font: 'system-ui, sans-serif',
      title: { color: TEXT, subtitleColor: TEXT, fontSize: 15, subtitleFontSize: 10 },
      axis: {
        labelColor: TEXT,
        titleColor: TEXT,
        gridColor: TEXT,
        gridOpacity: 0.2,
        domainColor: TEXT,
        tickColor: TEXT,
        labelLimit: 300,
      },
      legend: { labelColor: TEXT, titleColor: TEXT },
      header: { labelColor: TEXT, titleColor: TEXT, labelFontSize: 12 },
      text: { color: TEXT },
      view: { stroke: null },
    },
    ...specification,
  })
  return `${await new View(parse(spec), { renderer: 'none' }).toSVG()}\n`
}

const SHORT_TIME =
  "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' s' : datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' ms' : datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + ' µs' : format(datum.value, '~r') + ' ns'"

/** Three digits, as the axis has them. */
const timeText = (/** @type {string} */ field) =>
  SHORT_TIME.replaceAll('datum.value', `datum.${field}`).replaceAll("'~r'", "'.3~r'")

/**
 * Bars to a logarithmic scale of time, shortest first, with the spread.
 *
 * @param {any[]} rows with a median, p10 and p90 in ns
 * @param {string} axis
 * @param {object} [facet]
 */
function bars(rows, axis, facet) {
  const values = rows.map((row) => ({ name: nameOf(row), ours: isOurs(row), ...row }))
  const sorted = [...values].sort((a, b) => a.median - b.median)
  const y = {
    field: 'name',
    type: 'nominal',
    sort: [...new Set(sorted.map(({ name }) => name))],
    title: null,
  }
  const least = Math.min(...values.map(({ p10 }) => p10))
  const scale = { type: 'log', domainMin: 10 ** Math.floor(Math.log10(least)) }
  const layer = [
    {
      mark: { type: 'bar', height: { band: 0.7 } },
      encoding: {
        x: {
          field: 'median',
          type: 'quantitative',
          scale,
          title: axis,
          axis: { labelExpr: SHORT_TIME, tickCount: 6 },
        },
        x2: { datum: scale.domainMin },
        color: colour,
      },
    },
    {
      mark: { type: 'rule', color: '#212529', opacity: 0.6 },
      encoding: { x: { field: 'p10', type: 'quantitative' }, x2: { field: 'p90' } },
    },
    {
      mark: { type: 'text', align: 'left', dx: 6 },
      transform: [{ calculate: timeText('median'), as: 'label' }],
      encoding: { x: { field: 'p90', type: 'quantitative' }, text: { field: 'label' } },
    },
  ]
  const unit = { width: facet ? 300 : 520, height: { step: 20 }, encoding: { y }, layer }
  return facet ? { data: { values }, ...facet, spec: unit } : { data: { values }, ...unit }
}

/** @type {Record<string, { from: string, draw: (result: any) => Record<string, any> }>} */
const charts = {
  pairs: {
    from: 'pairs',
    draw: ({ between }) => ({
      title: 'Uncontended acquire and release (logarithmic)',
      ...bars(between, 'median, 10–90 %', { facet: { column: { field: 'mode', title: null } } }),
    }),
  },

  scaling: {
    from: 'scaling',
    draw: (rows) => {
      const wanted = rows.filter(
        ({ system }) =>
          isOurs({ system }) || ['pthread', 'raw_sync', 'flock', 'fs-ext', 'prwlock'].includes(system),
      )
      const values = wanted.map((/** @type {any} */ row) => ({
        name: nameOf(row),
        ours: isOurs(row),
        ...row,
      }))
      return {
        title: 'Read pairs per second, of all processes together (logarithmic)',
        width: 480,
        height: 300,
        data: { values },
        encoding: {
          x: { field: 'processes', type: 'ordinal', title: 'processes', axis: { labelAngle: 0 } },
          y: {
            field: 'median',
            type: 'quantitative',
            scale: { type: 'log' },
            title: null,
            axis: { format: '~s', tickCount: 6 },
          },
          color: colour,
          detail: { field: 'name' },
        },
        layer: [
          { mark: { type: 'line', point: true } },
          {
            transform: [{ filter: 'datum.processes == 8' }],
            mark: { type: 'text', align: 'left', dx: 8 },
            encoding: { text: { field: 'name' } },
          },
        ],
      }
    },
  },

  contended: {
    from: 'contended',
    draw: (rows) => {
      const values = rows
        .filter((/** @type {any} */ { mix }) => mix === '90/10')
        .map((/** @type {any} */ row) => ({
          name: nameOf(row),
          ours: isOurs(row),
          body: `body: ${row.body}`,
          throughput: row.median,
          wait: row.waits.write.usualMax,
        }))
      const panel = (
        /** @type {string} */ field,
        /** @type {string} */ title,
        /** @type {object} */ axis,
      ) => ({
        width: 300,
        height: { step: 20 },
        mark: { type: 'bar', height: { band: 0.7 } },
        encoding: {
          y: { field: 'name', type: 'nominal', title: null, sort: null },
          x: { field, type: 'quantitative', scale: { type: 'log' }, title, axis: { tickCount: 5, ...axis } },
          color: colour,
        },
      })
      const bodies = [...new Set(values.map((/** @type {any} */ { body }) => body))]
      return {
        title: '4 processes, 90 % reads (logarithmic)',
        data: { values },
        vconcat: bodies.map((body) => ({
          title: { text: body, fontSize: 12, anchor: 'start' },
          transform: [{ filter: { field: 'body', equal: body } }],
          hconcat: [
            panel('throughput', 'operations per second: more is better', { format: '~s' }),
            panel('wait', 'longest wait of a writer: less is better', { labelExpr: SHORT_TIME }),
          ],
        })),
      }
    },
  },

  handoff: {
    from: 'handoff',
    draw: (rows) => ({
      title: 'From a release to the next writer, in another process that sleeps',
      ...bars(
        rows.filter((/** @type {any} */ { samples }) => samples > 0),
        'median, 10–90 %',
      ),
    }),
  },

  recovery: {
    from: 'recovery',
    draw: (rows) => ({
      title: 'From SIGKILL of the holder to the next one',
      ...bars(
        rows.filter(
          (/** @type {any} */ { system, size, never }) =>
            (size === 'small' || system === 'proper-lockfile') && never === undefined,
        ),
        `median, 10–90 %. Never: ${rows
          .filter((/** @type {any} */ { size, never }) => never !== undefined && size === 'small')
          .map(nameOf)
          .join(', ')}`,
      ),
    }),
  },
}
