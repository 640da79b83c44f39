// Ways to make the lock slower, each of which the check of the ratios has to find: the native pairs alone, which build fast.

/** @type {import('../run.js').Mutant[]} */
export const mutants = [
  {
    name: 'the clock is read in every write hold',
    file: 'attachment/exclusive.rs',
    change: [
      [
        'self.exclusive.set(Some(Mode::Write));\n    }\n\n    /// For whoever finds',
        'self.exclusive.set(Some(Mode::Write));\n        self.stamp_exclusive();\n    }\n\n    /// For whoever finds',
      ],
    ],
  },
  {
    name: 'a writer looks at every slot',
    file: 'protocol/reader_bitmap.rs',
    change: [['            word.load(SeqCst)\n', '            word.load(SeqCst) | u64::MAX\n']],
  },
  {
    name: 'a reader lists itself each time',
    file: 'attachment/read.rs',
    change: [
      ['(self.is_registered() || self.register_reader_while(open))', 'self.register_reader_while(open)'],
    ],
  },
  {
    name: 'a writer drains though nobody else reads',
    file: 'attachment/exclusive.rs',
    change: [['if self.segment.readers().has_other_registered(self.index) {', 'if true {']],
  },
]
