//! The Firefox engine against goldens of bergamot-translator on real models.
//!
//! Runs where `TARJAMA_PEERS` and `TARJAMA_SHARED` name the folders; passes elsewhere.

use std::path::PathBuf;

use tarjama::tokenize::spm::Spm;

fn folders() -> Option<(PathBuf, PathBuf)> {
    let models = PathBuf::from(std::env::var_os("TARJAMA_PEERS")?).join("firefox/models");
    let goldens = PathBuf::from(std::env::var_os("TARJAMA_SHARED")?).join("peers/firefox/goldens");
    Some((models, goldens))
}

#[test]
fn tokenizer_ids_are_sentencepieces() {
    let Some((models, goldens)) = folders() else {
        return;
    };
    for direction in ["enpt", "pten"] {
        let spm = std::fs::read(models.join(format!("{direction}/vocab.{direction}.spm"))).unwrap();
        let spm = Spm::parse(&spm).unwrap();
        let lines =
            std::fs::read_to_string(goldens.join(format!("{direction}.ids.jsonl"))).unwrap();
        let mut wrong = 0;
        for line in lines.lines() {
            let golden: serde_json::Value = serde_json::from_str(line).unwrap();
            let wanted: Vec<u64> = golden["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_u64().unwrap())
                .collect();
            let text = golden["text"].as_str().unwrap();
            let got: Vec<u64> = spm.encode(text).into_iter().map(u64::from).collect();
            if got != wanted {
                wrong += 1;
                if wrong < 5 {
                    eprintln!("{text}\n  {wanted:?}\n  {got:?}");
                }
            }
        }
        assert_eq!(
            wrong,
            0,
            "of {} lines of {direction}",
            lines.lines().count()
        );
    }
}
