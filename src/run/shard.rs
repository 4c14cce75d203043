//! Shards: one input shared out over machines, article by article.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Part `index` of `count`: every article whose index leaves this rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Numbers")]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many there are.
    pub count: u64,
}

/// A shard as it stands in a file, not yet checked.
#[derive(Deserialize)]
struct Numbers {
    index: u64,
    count: u64,
}

impl TryFrom<Numbers> for Shard {
    type Error = ShardError;

    fn try_from(Numbers { index, count }: Numbers) -> Result<Self, ShardError> {
        if index < count {
            Ok(Self { index, count })
        } else {
            Err(ShardError(format!("{index}/{count}")))
        }
    }
}

/// What a shard argument does not say right.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no shard: I/N with I from 0 to N-1 is wanted")]
pub struct ShardError(String);

impl Shard {
    /// Whether an article belongs to it.
    #[must_use]
    pub fn has(self, index: u64) -> bool {
        index % self.count == self.index
    }

    /// Articles of it among the first `articles` of the input.
    #[must_use]
    pub fn share(self, articles: u64) -> u64 {
        articles / self.count + u64::from(articles % self.count > self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parse = || {
            let (index, count) = text.split_once('/')?;
            let (index, count) = (index.parse().ok()?, count.parse().ok()?);
            Self::try_from(Numbers { index, count }).ok()
        };
        parse().ok_or_else(|| ShardError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_article_in_one_shard() {
        for articles in 0..20 {
            for count in 1..6 {
                let shards = (0..count).map(|index| Shard { index, count });
                let sum: u64 = shards
                    .map(|shard| {
                        let own = (0..articles).filter(|&i| shard.has(i)).count() as u64;
                        assert_eq!(shard.share(articles), own);
                        own
                    })
                    .sum();
                assert_eq!(sum, articles);
            }
        }
    }

    #[test]
    fn fails_when_a_shard_is_out_of_range() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        for wrong in ["3/3", "1", "0/0", "-1/2", "a/b", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        for wrong in [r#"{"index":0,"count":0}"#, r#"{"index":3,"count":2}"#] {
            assert!(serde_json::from_str::<Shard>(wrong).is_err(), "{wrong}");
        }
        let last = Shard {
            index: u64::MAX - 1,
            count: u64::MAX,
        };
        assert_eq!(last.share(u64::MAX), 1);
    }
}
