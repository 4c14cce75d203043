//! The guards on human translations of news: at most 2 % of segments are flagged.

use std::path::{Path, PathBuf};

use tarjama::text::{Direction, Lang};
use tarjama::translate::checks;

#[test]
fn keeps_human_translations_of_news_unflagged() {
    let Some(shared) = std::env::var_os("TARJAMA_SHARED").map(PathBuf::from) else {
        return;
    };
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    for (from, to) in [(Lang::EN, Lang::AR), (Lang::AR, Lang::EN)] {
        for set in [
            "eval/flores/dev",
            "eval/flores/test",
            "eval/ntrex/newstest2019",
        ] {
            let side = |lang: Lang| read(&shared.join(format!("{set}.{lang}")));
            let (source, target) = (side(from), side(to));
            let (mut rows, mut flagged) = (0_usize, 0_usize);
            for (source, target) in source.lines().zip(target.lines()) {
                rows += 1;
                let flags = checks::check(source, target, Direction { from, to }, false);
                if !flags.is_empty() {
                    flagged += 1;
                    println!("{flags:?}\t{source}\t{target}");
                }
            }
            println!("## {set} {from}-{to}: {flagged} of {rows}");
            assert!(
                flagged * 50 <= rows,
                "{set} {from}-{to}: {flagged} of {rows} flagged"
            );
        }
    }
}
