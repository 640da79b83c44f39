// node --test verify/mutants: a mutant outlives what does not change its meaning, and fails loudly where its place is gone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lex } from './lexer.js'
import { mutate } from './mutate.js'
import {
  after,
  becomes,
  before,
  begins,
  body,
  call,
  code,
  condition,
  forces,
  guard,
  macro,
  omits,
  point,
  replaces,
  returns,
  skips,
  swaps,
  text,
  weakens,
} from './operators.js'
import { Tree } from './tree.js'

/** @typedef {import('./operators.js').Change} Change */

const GATE = `
//! A gate. fn not_this_one() {}
use std::sync::atomic::Ordering::SeqCst;

impl<'a, T: Fn() -> u8> Gate<'a, T> {
    /// Frees the gate { of a dead owner.
    pub fn free(&self, index: usize, is_dead: impl Fn() -> bool) -> bool {
        let name = "a \\" brace { in a string"; // and } in a comment
        let raw = r#"another " brace {"#;
        let brace = '{';
        crash_point!(free_load);
        let gate = self.word.load(SeqCst);
        if !gate.is_owned_by(index) || !is_dead() {
            return false;
        }
        let freed = if gate.is_writing() && self.is_inside(index) { gate.poisoned_by(index) } else { gate.freed() };
        crash_point!(free_swap);
        self.word.compare_exchange(gate.0, freed.0, SeqCst, SeqCst).is_ok()
    }

    fn leave(&self) {
        match self.mode() {
            Mode::Read if self.is_last() => self.wake(),
            Mode::Write => {
                crash_point!(leave_write);
                self.token.store(0, SeqCst);
            }
            _ => self.note(),
        }
        self.wake_next(None);
    }
}

impl Drop for Gate<'_, Other> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    fn free() {
        crash_point!(free_swap);
    }
}
`

/** The same code: variables have other names, lines are broken elsewhere, and comments differ. */
const REWRITTEN = `
impl<'a, T: Fn() -> u8> Gate<'a, T> {
    pub fn free(
        &self,
        slot: usize,
        probe: impl Fn() -> bool,
    ) -> bool {
        let name = "}";
        crash_point!( free_load );
        let seen =
            self.word
                .load(SeqCst);
        // The owner, /* if it */ { is dead.
        if !seen.is_owned_by(
            slot,
        ) || !probe() {
            return false;
        }
        let next = if seen.is_writing()
            && self.is_inside(slot)
        {
            seen.poisoned_by(slot)
        } else {
            seen.freed()
        };
        crash_point!(free_swap);
        self.word
            .compare_exchange(
                seen.0,
                next.0,
                SeqCst,
                SeqCst,
            )
            .is_ok()
    }

    fn leave(&self) {
        match self.mode() {
            Mode::Read
                if self.is_last() =>
            {
                self.wake();
            }
            Mode::Write => {
                crash_point!(leave_write);
                self.token.store(0, SeqCst);
            }
            _ => self.note(),
        }
        self.wake_next(None,);
    }
}
`

/** @param {Record<string, string>} files */
const tree = (files) => new Tree(new Map(Object.entries(files)), 'rust')

/** The mutated code without white space. @param {Record<string, string>} files @param {...Change} change */
const mutated = (files, ...change) =>
  [...mutate(tree(files), { name: 'test', change }).values()].join('').replace(/\s+/g, '')

/** @param {string} found @param {string} part */
const has = (found, part) =>
  assert.ok(found.includes(part.replace(/\s+/g, '')), `${part}\nis not in\n${found}`)

/** @param {string} found @param {string} part */
const lacks = (found, part) =>
  assert.ok(!found.includes(part.replace(/\s+/g, '')), `${part}\nis in\n${found}`)

const LAYOUTS = {
  'as written': { 'gate.rs': GATE },
  'rewritten and moved': { 'a/b/mod.rs': REWRITTEN, 'gate.rs': 'fn other() {}' },
}

for (const [layout, files] of Object.entries(LAYOUTS)) {
  /** @param {...Change} change */
  const apply = (...change) => mutated(files, ...change)

  test(`${layout}: a condition is forced`, () => {
    has(apply(forces(condition('free', 'is_inside'), 'false')), '= if false {')
    has(apply(forces(condition('Gate::free', 'is_owned_by'), 'true')), 'if true { return false;')
    has(apply(forces(condition('leave', 'is_last'), 'true')), 'Mode::Read if true =>')
  })

  test(`${layout}: the guard of a crash point is found`, () => {
    const files = { 'a.rs': `fn f() { if a { b(); } if let Some(X { y }) = c { crash_point!(here); } }` }
    has(mutated(files, forces(guard('here'), 'false')), 'if false { crash_point!(here);')
  })

  test(`${layout}: a function returns a value`, () => {
    has(apply(returns('leave', 'unreachable!()')), 'fn leave(&self) { unreachable!() }')
  })

  test(`${layout}: the statement at a crash point goes`, () => {
    lacks(apply(skips(point('leave_write'))), 'self.token.store(0')
    has(apply(skips(point('leave_write'))), 'crash_point!(leave_write); }')
    has(apply(becomes(point('free_swap'), 'true')), 'crash_point!(free_swap); true }')
  })

  test(`${layout}: a call goes`, () => {
    lacks(apply(omits('leave', 'wake_next')), 'wake_next')
    has(apply(becomes(call('leave', 'note'), 'panic!(),')), '_ => panic!(), }')
  })

  test(`${layout}: something is added`, () => {
    has(apply(begins('leave', 'std::thread::yield_now();')), 'fn leave(&self) { std::thread::yield_now();')
    has(apply(before(point('free_swap'), 'one();')), 'one(); crash_point!(free_swap);')
    has(apply(after(point('leave_write'), 'two();')), 'two(); }')
    has(apply(after(call('leave', 'wake_next'), 'three();')), 'three(); }')
  })

  test(`${layout}: code becomes other code, whatever its variables are called`, () => {
    const found = apply(replaces('free', '$gate.poisoned_by($index)', '$gate.freed().twice($index)'))
    assert.match(found, /\{(gate|seen)\.freed\(\)\.twice\((index|slot)\)\}/)
    has(apply(replaces('leave', 'self.wake_next(None)', 'self.wake_next(Some(1))')), 'wake_next(Some(1))')
  })

  test(`${layout}: an ordering is weaker`, () => {
    has(apply(weakens({ point: 'free_load' }, 'Relaxed')), '.load(std::sync::atomic::Ordering::Relaxed)')
    const failure = apply(weakens({ point: 'free_swap' }, 'Acquire', { nth: 1 }))
    assert.match(failure, /SeqCst,std::sync::atomic::Ordering::Acquire,?\)/)
    has(apply(weakens({ access: 'word.load' }, 'Acquire')), '.load(std::sync::atomic::Ordering::Acquire)')
  })

  test(`${layout}: a place that is gone or ambiguous is an error`, () => {
    const fails = (/** @type {Change} */ change, /** @type {RegExp} */ message) =>
      assert.throws(() => apply(change), message)
    fails(returns('not_this_one', ''), /there is no function not_this_one/)
    fails(skips(point('nowhere')), /there is no crash point nowhere/)
    fails(omits('leave', 'sleep'), /there is no call of sleep in leave/)
    fails(forces(condition('leave', 'is_inside'), 'true'), /there is no condition/)
    fails(replaces('free', 'SeqCst', 'Relaxed'), /there are 3 of/)
    fails(weakens({ point: 'free_swap' }, 'Relaxed', { nth: 2 }), /too few/)
  })
}

test('names with two meanings need their type or module', () => {
  const files = {
    'unix.rs': 'impl A { fn f(&self) { one() } }',
    'sub/mod.rs': 'impl fmt::Debug for B { fn f(&self) { two() } }',
  }
  assert.throws(
    () => mutated(files, returns('f', '')),
    /f may be unix::A::f in unix.rs, or sub::B::f in sub\/mod.rs/,
  )
  has(mutated(files, returns('A::f', '3')), 'impl A { fn f(&self) { 3 } }')
  has(mutated(files, returns('sub::f', '3')), 'for B { fn f(&self) { 3 } }')
})

test('the function around a crash point needs no name', () => {
  has(mutated({ 'a.rs': 'fn f() { crash_point!(here); g(); }' }, returns('#here', '3')), 'fn f() { 3 }')
})

test('two places change places with their crash points', () => {
  const files = { 'a.rs': 'fn f() { crash_point!(a); one(); crash_point!(b); if x { two() } three(); }' }
  has(
    mutated(files, swaps(point('a'), point('b'))),
    'fn f() { crash_point!(b); if x { two() } crash_point!(a); one(); three(); }',
  )
})

test('changes that do nothing, overlap or leave brackets open are errors', () => {
  const files = { 'a.rs': 'fn f() { g(1); }' }
  assert.throws(() => mutated(files, replaces('f', 'g(1)', 'g(1)')), /changes nothing in a.rs/)
  assert.throws(() => mutated(files, omits('f', 'g'), replaces('f', '1', '2')), /overlap in a.rs/)
  assert.throws(() => mutated(files, replaces('f', 'g(1)', 'g(1')), /is never closed|closes nothing/)
  assert.throws(() => mutated(files), /changes nothing/)
})

const MODEL = `
#define HEALED(g)   ((g) & ~(POISONED | \\
                     3 << 8))  /* a comment { */
inline read(open) {
  if
  :: count == 0 ->
     reads[s] = 1;              /* crash point: publish */
     atomic { g = gate; ok = (open) };   /* crash point: load, again */
     if :: ok -> enter(1) :: else -> wake(g) fi
  :: else -> count++            /* crash point: join */
  fi;
  free()
}
proctype P(byte s) {
  do
  :: reads[s] = 0               /* crash point: publish */
  :: else -> break
  od
}
`

/** @param {...Change} change */
const modelled = (...change) =>
  [...mutate(new Tree(new Map([['m.pml', MODEL]]), 'promela'), { name: 'test', change }).values()]
    .join('')
    .replace(/\s+/g, ' ')

test('Promela: places are statements beside a label, inlines, processes and macros', () => {
  const has = (/** @type {string} */ found, /** @type {string} */ part) =>
    assert.ok(found.includes(part), `${part}\nis not in\n${found}`)
  has(modelled(skips(point('publish', 'read'))), '-> skip; /* crash point: publish */')
  has(modelled(skips(point('publish', 'P'))), 'do :: skip /* crash point: publish */')
  has(modelled(skips(point('join'))), 'else -> skip /*')
  has(modelled(becomes(point('again'), 'g = gate;')), '*/ g = gate; /* crash point: load, again */')
  has(modelled(after(point('load'), 'x = 1')), 'ok = (open) }; x = 1; /*')
  has(modelled(omits('read', 'free')), 'fi; skip }')
  has(modelled(omits('read', 'wake')), 'else -> skip fi')
  has(modelled(becomes(macro('HEALED'), '(g)')), '#define HEALED(g) (g) /* a comment { */')
  has(modelled(becomes(body('read'), ' skip ')), 'inline read(open) { skip }')
  has(modelled(before(code('read', 'free()'), 'y = 1;')), 'fi; y = 1; free() }')
  assert.throws(() => modelled(skips(point('publish'))), /occurs 2 times/)
})

test('JavaScript: conditions and code in functions', () => {
  const files = new Map([
    [
      'a.js',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
      "class A { #run(name) { if (name !== 'it') return `${name + '}'} {`; return /[/}]{2}/.test(name) / 2 } }",
    ],
  ])
  const apply = (/** @type {Change} */ change) => [
    ...mutate(new Tree(files, 'javascript'), { name: 'test', change: [change] }).values(),
  ]
  assert.match(apply(forces(condition('run', 'name !=='), 'false'))[0] ?? '', /if \(false\) return/)
  assert.match(apply(replaces('run', '/ 2', '/ 3'))[0] ?? '', /\.test\(name\) \/ 3 }/)
})

test('text occurs exactly once', () => {
  const files = new Map([['a.yml', 'on: push\njobs: {']])
  const apply = (/** @type {string} */ from) =>
    mutate(new Tree(files, 'text'), { name: 'test', change: [text('a.yml', from, 'x')] }).get('a.yml')
  assert.equal(apply('push'), 'on: x\njobs: {')
  assert.throws(() => apply('o'), /exactly once/)
  assert.throws(() => apply('pull'), /exactly once/)
})

test('tokens are neither in strings nor in comments', () => {
  const texts = (/** @type {string} */ code, /** @type {import('./lexer.js').Language} */ language) =>
    lex(code, language).tokens.map(({ text }) => text)
  assert.deepEqual(texts(`'a' 'static b'\\'' "x\\"y" r##"a"#b"## 0..3 1.5`, 'rust'), [
    "'a'",
    "'static",
    "b'\\''",
    '"x\\"y"',
    'r##"a"#b"##',
    '0',
    '.',
    '.',
    '3',
    '1.5',
  ])
  assert.deepEqual(texts('/* a /* b */ c */ d // e', 'rust'), ['d'])
  assert.deepEqual(texts('a /* b /* c */ d', 'promela'), ['a', 'd'])
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
  assert.deepEqual(texts('a = b / c; /d{/.test(`${"`"}`)', 'javascript').slice(6, 8), ['/d{/', '.'])
})
