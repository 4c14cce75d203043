//! A prefix tree over byte strings: every stored string that an input starts with, in one walk.

/// The tree, in breadth-first order: the children of a node lie side by side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trie {
    /// The byte that leads to each node; the root's means nothing.
    labels: Vec<u8>,
    /// Where each node's children begin, with one more entry for the end of the last.
    children: Vec<u32>,
    /// The value of the string that ends at each node.
    values: Vec<Option<u32>>,
}

impl Trie {
    /// Stores `strings`, which are sorted and have no two equal, with their values.
    pub(crate) fn new(strings: &[(&[u8], u32)]) -> Self {
        let mut tree = Self {
            labels: vec![0],
            ..Self::default()
        };
        // The strings of each node, in the order of the nodes.
        let mut ranges = vec![(0, strings.len(), 0)];
        let mut node = 0;
        while let Some(&(mut from, to, depth)) = ranges.get(node) {
            let own = strings[from..to].first().filter(|(s, _)| s.len() == depth);
            tree.values.push(own.map(|(_, value)| *value));
            from += usize::from(own.is_some());
            tree.children.push(tree.labels.len() as u32);
            while from < to {
                let byte = strings[from].0[depth];
                let same = strings[from..to].partition_point(|(s, _)| s[depth] == byte);
                tree.labels.push(byte);
                ranges.push((from, from + same, depth + 1));
                from += same;
            }
            node += 1;
        }
        tree.children.push(tree.labels.len() as u32);
        tree
    }

    /// Calls `found` with the length and value of each string that `input` starts with, the
    /// shortest first.
    pub(crate) fn for_each_prefix(&self, input: &[u8], mut found: impl FnMut(usize, u32)) {
        let mut node = 0;
        for (length, byte) in (1..).zip(input) {
            let Some(child) = self.child(node, *byte) else {
                return;
            };
            node = child;
            if let Some(value) = self.values[node] {
                found(length, value);
            }
        }
    }

    /// The value of `string`.
    pub(crate) fn get(&self, string: &[u8]) -> Option<u32> {
        let mut bytes = string.iter();
        let node = bytes.try_fold(0, |node, byte| self.child(node, *byte))?;
        self.values[node]
    }

    fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let (from, to) = (self.children.get(node)?, self.children.get(node + 1)?);
        let (from, to) = (*from as usize, *to as usize);
        let at = self.labels[from..to].binary_search(&byte).ok()?;
        Some(from + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_every_prefix_and_no_other(
            mut strings in proptest::collection::vec("[ab]{1,5}|[a-z\u{0627}-\u{0630}]{1,4}", 0..40),
            input in "[ab\u{0627}]{0,8}",
        ) {
            strings.sort();
            strings.dedup();
            let stored: Vec<(&[u8], u32)> =
                strings.iter().map(String::as_bytes).zip(0..).collect();
            let trie = Trie::new(&stored);
            let mut found = Vec::new();
            trie.for_each_prefix(input.as_bytes(), |length, value| found.push((length, value)));
            let mut wanted: Vec<(usize, u32)> = stored
                .iter()
                .filter(|(s, _)| input.as_bytes().starts_with(s))
                .map(|(s, value)| (s.len(), *value))
                .collect();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
            for (s, value) in &stored {
                prop_assert_eq!(trie.get(s), Some(*value));
            }
            prop_assert_eq!(trie.get(b"!"), None);
        }
    }
}
